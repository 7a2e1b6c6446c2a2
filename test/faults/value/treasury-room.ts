/**
 * A room that does nothing but operations on money and items, as fast as its players ask, and entries in
 * their diaries. It tells each outcome to whoever asked. What it tells is what the players are promised: the
 * audits hold it against the database.
 */
import { type SchemaType, schema, t } from "@colyseus/schema";
import { GameRoom } from "../../../region/rooms/game-room.ts";
import { handler } from "../../../region/rooms/message-handler.ts";
import type { Player } from "../../../region/rooms/player.ts";
import { tradeChanges, ValueRefused } from "../../../region/rooms/room-value.ts";
import { isFailure } from "../../../shared/errors.ts";
import type { PlayerId } from "../../../shared/ids.ts";
import { OpId, type Refusal, type ValueChange } from "../../../shared/protocol/value.ts";
import { Ask, Entries, Note, OpenDiary, type Told } from "./treasury-messages.ts";

const PLAYERS_MAX = 16;
const CURRENCY = "coin";
const DIARY = "diary";

export const TreasuryState = schema({ players: t.map("string") }, "TreasuryState");
export type TreasuryState = SchemaType<typeof TreasuryState>;

interface Deal {
  /** With the room and the cause it makes the operation's id. */
  readonly whom: string;
  readonly changes: readonly ValueChange[];
  readonly carryOut: () => Promise<unknown>;
}

export class Treasury extends GameRoom<TreasuryState> {
  static override State = TreasuryState;
  static override collections = { [DIARY]: { format: 1, initial: { count: 0, last: 0 } } };

  override readonly tellsSaved = true;
  override maxClients = PLAYERS_MAX;

  override messages = {
    ask: handler(Ask, (player, ask) => this.#answer(player, ask)),
    open_diary: handler(OpenDiary, (player, { page }) => {
      player.send("diary_opened", { page, ...entriesOf(player) });
    }),
    note: handler(Note, writeNote),
  };

  /** Gems of this room that are certainly theirs: one whose trade's outcome is open is nobody's here. */
  readonly #gems = new Map<PlayerId, string[]>();

  override onEnter(player: Player): void {
    this.state.players.set(player.sessionId, player.name);
  }

  override onExit(player: Player): void {
    this.state.players.delete(player.sessionId);
  }

  async #answer(player: Player, ask: Ask): Promise<void> {
    const { cause } = ask;
    const deal = this.#dealOf(player, ask);
    if (!deal) {
      player.send("not_told", { cause, why: "nothing to do it with" });
      return;
    }
    const id = OpId.parse(`${this.roomId}/${cause}/${deal.whom}`);
    const tell = (refusal: Refusal | null) => {
      player.send("told", { cause, id, changes: [...deal.changes], refusal } satisfies Told);
    };
    try {
      await deal.carryOut();
      this.#note(deal.changes);
      tell(null);
    } catch (error) {
      if (error instanceof ValueRefused) {
        this.#takeBack(deal.changes);
        tell(error.refusal);
      } else if (isFailure(error)) player.send("not_told", { cause, why: error.kind });
      else throw error;
    }
  }

  #dealOf(player: Player, { kind, cause, amount, partner }: Ask): Deal | undefined {
    const because = { cause };
    const { id: playerId, wallet, items } = player;
    if (kind === "earn") {
      const changes = [{ kind: "credit", playerId, currency: CURRENCY, amount } as const];
      return { whom: playerId, changes, carryOut: () => wallet.credit(CURRENCY, amount, because) };
    }
    if (kind === "gem") {
      const itemId = `${this.roomId}/${cause}`;
      const changes = [{ kind: "grantItem", itemId, itemKind: "gem", playerId } as const];
      return { whom: playerId, changes, carryOut: () => items.grant(itemId, "gem", because) };
    }
    const other = partner && this.players.get(partner);
    if (!other || other.id === playerId) return undefined;
    const gem = kind === "trade" ? this.#gems.get(playerId)?.shift() : undefined;
    if (kind === "trade" && gem === undefined) return undefined;
    const money = { [CURRENCY]: amount };
    const offer =
      gem === undefined ? { from: { money }, for: {} } : { from: { items: [gem] }, for: { money } };
    return {
      whom: `${playerId}/${other.id}`,
      changes: tradeChanges(playerId, offer.from, other.id, offer.for),
      carryOut: () => this.trade(player, other, offer, because),
    };
  }

  /** Who has which gem now. */
  #note(changes: readonly ValueChange[]): void {
    for (const change of changes) {
      if (change.kind === "grantItem") this.#give(change.playerId, change.itemId);
      if (change.kind === "giveItem") this.#give(change.to, change.itemId);
    }
  }

  /** A trade that was refused moved nothing. */
  #takeBack(changes: readonly ValueChange[]): void {
    for (const change of changes) {
      if (change.kind === "giveItem") this.#give(change.from, change.itemId);
    }
  }

  #give(playerId: PlayerId, gem: string): void {
    const gems = this.#gems.get(playerId) ?? [];
    gems.push(gem);
    this.#gems.set(playerId, gems);
  }
}

function entriesOf({ state }: Player): Entries {
  return Entries.parse(state.get(DIARY));
}

/** Counted by `add` and named by `set`: the two ways in which changes are merged. */
function writeNote(player: Player, { note }: Note): void {
  const { state } = player;
  try {
    state.add(DIARY, "count", 1);
    state.set(DIARY, { last: note });
  } catch (error) {
    if (!isFailure(error)) throw error;
    player.send("not_noted", { note, why: error.kind });
    return;
  }
  player.send("noted", { note, revision: state.revision, ...entriesOf(player) });
}
