/**
 * The arena with a tracer in it, for whoever follows players over failovers: clients see the room's tick, and
 * so how far a restored room is behind what they saw.
 *
 * Each coin that is banked is one operation (class A), named by the round, the session and its place among the
 * coins of that round: a room that was restored to before may bank it again, and it counts once. Each player
 * has a document (class B) with the tick at which it was written, a few times a second.
 */
import { Arena } from "../../region/games/arena/arena-room.ts";
import type { ExitReason, Player } from "../../region/rooms/player.ts";
import { isFailure } from "../../shared/errors.ts";
import type { SessionId } from "../../shared/ids.ts";
import type { RoomOp } from "../../shared/protocol/value.ts";
import { CoinMessage } from "./traced-messages.ts";
import { TracedState, Trail } from "./traced-state.ts";

const DOCUMENT = "trail";
const CURRENCY = "coin";
/** By default 200 ms: what is lost of a document is known that well. */
const WRITE_EVERY_TICKS = Number(process.env.TRACED_WRITE_TICKS ?? 4);
/** Of one player, from one coin's operation to the next. */
const PAY_EVERY_TICKS = Number(process.env.TRACED_PAY_TICKS ?? 1);
/** Before a coin that nobody could commit is tried again. */
const AGAIN_TICKS = 40;
/** Small rooms: hundreds of clients on the same machine decode all that they are sent. */
const SEATS = Number(process.env.TRACED_SEATS ?? 10);
const PATCH_MS = Number(process.env.TRACED_PATCH_MS ?? 50);
const CAUSE = /^coin-(\d+):(.+):(\d+)$/;

interface Written {
  readonly revision: number;
  readonly tick: number;
}

export class TracedArena extends Arena {
  static override State = TracedState;
  static override collections = { ...Arena.collections, [DOCUMENT]: { format: 1 } };

  override maxClients = SEATS;
  override patchRate = PATCH_MS;

  // Of this owner alone: a restored room begins them anew.
  #hasBegun = false;
  #round = 0;
  /** Who waits for the core's word on a coin. */
  readonly #paying = new Set<SessionId>();
  #payAgainAtTick = 0;
  /** Of each player. */
  readonly #nextPayAtTick = new Map<SessionId, number>();
  readonly #unsaved = new Map<SessionId, Written[]>();

  override onEnter(player: Player): void {
    super.onEnter(player);
    this.#traced.trails.set(player.sessionId, new Trail({ entityId: this.nextEntityId() }));
  }

  override async onExit(player: Player, reason: ExitReason): Promise<void> {
    this.#traced.trails.delete(player.sessionId);
    this.#unsaved.delete(player.sessionId);
    this.#nextPayAtTick.delete(player.sessionId);
    await super.onExit(player, reason);
  }

  /**
   * Players follow a restored room before its first tick, and their inputs are seen before it, too: what they
   * see by then must not be taken for the former owner's.
   */
  override onResume(player: Player): void {
    this.#begin(this.tick + 1);
    super.onResume(player);
  }

  override onTick(dtMs: number): void {
    this.#begin(this.tick);
    super.onTick(dtMs);
    this.#traced.tick = this.tick;
    if (this.state.round !== this.#round) this.#beginRound();
    for (const player of this.players.values()) {
      const trail = this.#traced.trails.get(player.sessionId);
      if (!trail) continue;
      if (player.client && this.tick % WRITE_EVERY_TICKS === 0) this.#write(player, trail);
      this.#pay(player, trail);
    }
  }

  override onSaved(player: Player): void {
    const trail = this.#traced.trails.get(player.sessionId);
    const unsaved = this.#unsaved.get(player.sessionId) ?? [];
    const { savedRevision } = player.state;
    const saved = unsaved.filter(({ revision }) => revision <= savedRevision).at(-1);
    if (!saved) return;
    this.#unsaved.set(
      player.sessionId,
      unsaved.filter(({ revision }) => revision > savedRevision),
    );
    if (trail) trail.savedTick = saved.tick;
  }

  override onValue(op: RoomOp): void {
    super.onValue(op);
    const [, cause = ""] = op.id.split("/");
    const [, round, sessionId = "", place] = CAUSE.exec(cause) ?? [];
    const trail = this.#traced.trails.get(sessionId);
    if (!trail || Number(round) !== this.state.round) return;
    trail.coins = Math.max(trail.coins, Number(place));
  }

  /** Documents are there before anybody is let into a restored room. Once. */
  #begin(firstTick: number): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#round = this.state.round;
    this.#traced.bornTick = firstTick;
    for (const player of this.players.values()) {
      const trail = this.#traced.trails.get(player.sessionId);
      if (trail) trail.loadedTick = Number(player.state.get(DOCUMENT)?.tick ?? 0);
    }
  }

  #beginRound(): void {
    this.#round = this.state.round;
    for (const trail of this.#traced.trails.values()) trail.coins = 0;
  }

  #write(player: Player, trail: Trail): void {
    try {
      player.state.set(DOCUMENT, { tick: this.tick });
    } catch (error) {
      // Nobody was told that it is written.
      if (isFailure(error)) return;
      throw error;
    }
    trail.docTick = this.tick;
    const unsaved = this.#unsaved.get(player.sessionId) ?? [];
    unsaved.push({ revision: player.state.revision, tick: this.tick });
    this.#unsaved.set(player.sessionId, unsaved);
  }

  /** One coin after the other: those of a round that is over by then are not paid. */
  #pay(player: Player, trail: Trail): void {
    const { sessionId } = player;
    const score = this.state.players.get(sessionId)?.score ?? 0;
    // It is below where the room was restored to before coins that the core knows.
    if (score <= trail.coins || this.#paying.has(sessionId)) return;
    const nextAtTick = this.#nextPayAtTick.get(sessionId) ?? 0;
    if (this.tick < Math.max(this.#payAgainAtTick, nextAtTick)) return;
    this.#nextPayAtTick.set(sessionId, this.tick + PAY_EVERY_TICKS);
    const cause = `coin-${this.state.round}:${sessionId}:${trail.coins + 1}`;
    this.#paying.add(sessionId);
    void this.call("payCoin", () => this.#payOne(player, cause));
  }

  async #payOne(player: Player, cause: string): Promise<void> {
    try {
      await player.wallet.credit(CURRENCY, 1, { cause });
      const id = `${this.roomId}/${cause}/${player.id}`;
      player.send("coin", CoinMessage.parse({ id }));
    } catch (error) {
      this.#payAgainAtTick = this.tick + AGAIN_TICKS;
      // Without the core nothing was promised.
      if (!isFailure(error)) throw error;
    } finally {
      this.#paying.delete(player.sessionId);
    }
  }

  get #traced(): TracedState {
    return this.state as TracedState;
  }
}
