/**
 * The demo game: players run, pick up coins and bank them. Rules in `arena-rules.ts`.
 *
 * What is carried, and what a player has done, are their documents (`arena-documents.ts`). What they banked
 * is paid once a round, and a gem is theirs once the core says so: operations, whose ids name the round or the
 * gem.
 */
import { isFailure } from "../../../shared/errors.ts";
import { SessionId } from "../../../shared/ids.ts";
import type { RoomOp } from "../../../shared/protocol/value.ts";
import { GameRoom } from "../../rooms/game-room.ts";
import { handler } from "../../rooms/message-handler.ts";
import type { ExitReason, Player } from "../../rooms/player.ts";
import * as documents from "./arena-documents.ts";
import {
  AcceptMessage,
  MoveMessage,
  OfferMessage,
  RenameMessage,
  StatsMessage,
} from "./arena-messages.ts";
import * as rules from "./arena-rules.ts";
import { type ArenaPlayer, ArenaState } from "./arena-state.ts";
import * as gems from "./gem-rules.ts";
import * as market from "./market-rules.ts";

const PLAYERS_MAX = 50;
/** Ticks before purses that could not be written, or gems that nobody could grant, are tried again. */
const AGAIN_TICKS = 40;

export class Arena extends GameRoom<ArenaState> {
  static override State = ArenaState;
  static override collections = documents.collections;

  override maxClients = PLAYERS_MAX;
  override readonly tellsSaved = true;

  override messages = {
    move: handler(MoveMessage, (player, push) => this.#with(player, rules.steer, push)),
    rename: handler(RenameMessage, (player, { name }) => this.#with(player, rules.rename, name)),
    offer: handler(OfferMessage, (player, { to, gem: itemId, price }) => {
      market.offer(this.state, player.sessionId, { to, itemId, price }, this.nextEntityId());
    }),
    stats: handler(StatsMessage, (player) => this.#tellStats(player)),
    accept: handler(AcceptMessage, (player, { from }) => this.#accept(player, from)),
  };

  override readonly timers = {
    second: () => this.#second(),
  };

  readonly #chance: rules.Chance = {
    random: () => this.random.float(),
    nextEntityId: () => this.nextEntityId(),
  };
  /** Gems for which this owner of the room is asking the core. */
  readonly #granting = new Set<string>();
  // Paces only: a restored room may try at once.
  #pursesAgainAtTick = 0;
  #gemsAgainAtTick = 0;

  override onSetup(): void {
    rules.beginRound(this.state, 1);
    this.scheduleEvery("second", 1_000);
  }

  override onEnter(player: Player): void {
    rules.enter(this.state, player.sessionId, player.name, this.#chance);
    const carried = documents.carriedIn(player.state, this.#round);
    this.#with(player, (entity) => rules.bringBack(this.state, entity, carried));
  }

  override onAway(player: Player): void {
    this.#with(player, rules.drop);
  }

  override onResume(player: Player): void {
    this.#with(player, rules.resume);
  }

  override async onExit(player: Player, reason: ExitReason): Promise<void> {
    const { phase } = this.state;
    const entity = this.state.players.get(player.sessionId);
    // It falls to the ground only from a purse that could be emptied, or the player could come back for it.
    const fell =
      reason === "left" && documents.keepPurse(player.state, { round: this.#round, carried: 0 });
    if (fell) rules.leave(this.state, player.sessionId, this.#chance);
    else this.#setAside(player);
    if (entity && phase === "play") await this.#endStay(player, entity);
  }

  override onTick(dtMs: number): void {
    rules.tick(this.state, dtMs, this.#chance);
    if (this.tick >= this.#gemsAgainAtTick) gems.takeGems(this.state);
    this.#grantGems();
    market.endOffers(this.state);
    if (this.tick >= this.#pursesAgainAtTick) this.#keepPurses();
  }

  override onValue({ opSeq, id, changes }: RoomOp): void {
    const [, cause = ""] = id.split("/");
    for (const change of changes) {
      if (change.kind === "grantItem") this.#granted(cause, change.playerId, opSeq);
      if (change.kind === "giveItem") market.endOffer(this.state, cause);
      if (change.kind !== "credit") continue;
      const { round, sessionId } = stayOf(cause);
      rules.paid(this.state, round, sessionId, change.amount);
    }
  }

  async #second(): Promise<void> {
    const { state } = this;
    state.secondsLeft -= 1;
    if (state.secondsLeft > 0) return;
    if (state.phase !== "play") {
      rules.beginRound(state, state.round + 1);
      return;
    }
    rules.endRound(state);
    const [winner] = rules.ranking(state);
    await Promise.all(
      [...this.players.values()].map(async (player) => {
        const entity = state.players.get(player.sessionId);
        if (entity) await this.#endStay(player, entity, entity === winner ? "won" : "finished");
      }),
    );
  }

  /** The player's part in this round is over: it is counted, and what they banked is paid. */
  async #endStay(player: Player, entity: ArenaPlayer, how?: "won" | "finished"): Promise<void> {
    const { score, paid } = entity;
    documents.countStay(player.state, {
      name: `${this.#round}:${player.sessionId}`,
      banked: score,
      finished: how !== undefined,
      won: how === "won" && score > 0,
    });
    this.#tellStats(player);
    // The core has paid in what this room has forgotten; another sum under that id would be refused.
    if (paid === 0) await this.#payOut(player, score);
  }

  /** What a player banked in a round is theirs for good: once, whatever becomes of the room. */
  async #payOut(player: Player, coins: number): Promise<void> {
    if (coins === 0) return;
    const cause = `round-${this.state.round}:${player.sessionId}`;
    try {
      const balance = await player.wallet.credit("coin", coins, { cause });
      player.send("paid", { coins, balance });
    } catch (error) {
      player.send("not_paid", { coins });
      throw error;
    }
  }

  /** Asks the core for each gem that was picked up; again in a room that was restored meanwhile. */
  #grantGems(): void {
    for (const { gemId, taker } of gems.takenGems(this.state)) {
      if (this.#granting.has(gemId)) continue;
      const player = this.players.get(SessionId.parse(taker));
      if (player) void this.call("grantGem", () => this.#grant(gemId, player));
      else gems.letGemFall(this.state, gemId);
    }
  }

  async #grant(gemId: string, player: Player): Promise<void> {
    this.#granting.add(gemId);
    try {
      await player.items.grant(`${this.roomId}/${gemId}`, "gem", { cause: gemId });
      // `onValue` has done so, unless it was told of that gem before the gem came up here again.
      gems.removeGem(this.state, gemId);
    } catch (error) {
      this.#notGranted(gemId, error);
    } finally {
      this.#granting.delete(gemId);
    }
  }

  /** Whoever asked goes on after it. */
  #granted(gemId: string, playerId: Player["id"], opSeq: number): void {
    gems.removeGem(this.state, gemId);
    const player = [...this.players.values()].find(({ id }) => id === playerId);
    if (!player) return;
    documents.countGem(player.state, this.roomId, opSeq);
    player.send("gem", { itemId: `${this.roomId}/${gemId}` });
    this.#tellStats(player);
  }

  #notGranted(gemId: string, error: unknown): void {
    // Somebody else has had it since: this room had forgotten that, and another player tried.
    if (isFailure(error, "value_refused") || isFailure(error, "conflict")) {
      gems.removeGem(this.state, gemId);
      return;
    }
    gems.letGemFall(this.state, gemId);
    this.#gemsAgainAtTick = this.tick + AGAIN_TICKS;
    // Without the core nothing happened, and it lies there again.
    if (!isFailure(error, "unavailable")) throw error;
  }

  /** The offer's id is the cause: a room that forgot the trade, and is asked again, trades once. */
  async #accept(buyer: Player, from: SessionId): Promise<void> {
    const seller = this.players.get(from);
    const taken = market.takeOffer(this.state, from, buyer.sessionId);
    if (!seller || !taken) return;
    const { id: cause, itemId, price } = taken;
    const terms = { from: { items: [itemId] }, for: { money: { coin: price } } };
    try {
      await this.trade(seller, buyer, terms, { cause });
      for (const player of [seller, buyer]) player.send("traded", { itemId, price });
    } catch (error) {
      if (!isFailure(error)) throw error;
      // Somebody has not what they offered, or the core is away: nothing changed hands.
      for (const player of [seller, buyer]) player.send("not_traded", { why: error.kind });
    }
  }

  #setAside(player: Player): void {
    const carried = this.state.players.get(player.sessionId)?.carried ?? 0;
    documents.keepPurse(player.state, { round: this.#round, carried });
    rules.setAside(this.state, player.sessionId);
  }

  #keepPurses(): void {
    const round = this.#round;
    for (const player of this.players.values()) {
      const { carried } = this.state.players.get(player.sessionId) ?? {};
      if (carried === undefined || documents.keepPurse(player.state, { round, carried })) continue;
      this.#pursesAgainAtTick = this.tick + AGAIN_TICKS;
    }
  }

  #tellStats(player: Player): void {
    const { rounds, wins, banked, gems: found } = documents.statsOf(player.state);
    player.send("stats", { rounds, wins, banked, gems: found });
  }

  /** Unique in the world. */
  get #round(): string {
    return `${this.roomId}/round-${this.state.round}`;
  }

  #with<Args extends readonly unknown[]>(
    player: Player,
    rule: (player: ArenaPlayer, ...args: Args) => void,
    ...args: Args
  ): void {
    const entity = this.state.players.get(player.sessionId);
    if (entity) rule(entity, ...args);
  }
}

/** What the cause of a payment names. */
function stayOf(cause: string): { readonly round: number; readonly sessionId: string } {
  const [round = "", sessionId = ""] = cause.split(":");
  return { round: Number(round.replace("round-", "")), sessionId };
}
