/**
 * Paces the players of rooms that were failed over (`arrivals-step.ts`). A slot that is too far off for this call
 * is told with its time, and kept: whoever comes back then is answered at once.
 *
 * They are asked in at the pace, and let go at nearly the same one: when something between the two stood still, as
 * a database does now and then, those whose turn came meanwhile are all done at once.
 */
import { type Clock, sleep } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { NodeId, PlayerId, RoomId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { FREE_LANE, type Lane, nextSlot, type Pace } from "./arrivals-step.ts";

/** Players of a room that was moved come by then, or by themselves. */
const ROOM_KEPT_MS = 60_000;
const ROOMS_MAX = 100_000;
/** After its time: the player's way to here may be long. */
const SLOT_KEPT_MS = 20_000;
const SLOTS_MAX = 200_000;
const NODES_MAX = 4_096;
/** What was held up gets less: 150 ms of it are gone after 750. */
const CATCH_UP = 1.2;

export interface ArrivalsOptions {
  /** At one node. */
  readonly perSecond: number;
  /** 0 to 1. */
  readonly random: () => number;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

interface Slot {
  readonly nodeId: NodeId;
  readonly atMs: number;
}

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #rooms = new Map<RoomId, number>();
  readonly #lanes = new Map<NodeId, Lane>();
  readonly #doors = new Map<NodeId, Lane>();
  readonly #slots = new Map<PlayerId, Slot>();
  readonly #turns: Counter<"outcome">;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    this.#turns = new Counter({
      name: "meridian_failover_arrivals_total",
      help: "Players of moved rooms: answered in their turn, or told when it is.",
      labelNames: ["outcome"],
      registers: [options.metrics],
    });
  }

  /** A room was failed over: those who ask for it come all at once. */
  roomMoved(roomId: RoomId): void {
    this.#rooms.delete(roomId);
    this.#rooms.set(roomId, this.#options.clock.monotonicMs() + ROOM_KEPT_MS);
    dropOldest(this.#rooms, ROOMS_MAX);
  }

  /** Whether its players are paced. */
  paces(roomId: RoomId): boolean {
    const untilMs = this.#rooms.get(roomId);
    return untilMs !== undefined && this.#options.clock.monotonicMs() < untilMs;
  }

  /**
   * Resolves when it is the player's turn.
   * @param endsAtMs until when the caller waits, monotonic
   * @throws {MeridianError} `unavailable` with the time until then, when that is later
   */
  async turn(playerId: PlayerId, nodeId: NodeId, endsAtMs: number): Promise<void> {
    const { clock } = this.#options;
    const slot = this.#slotOf(playerId, nodeId);
    const waitMs = slot.atMs - clock.monotonicMs();
    if (slot.atMs > endsAtMs) {
      this.#turns.inc({ outcome: "told" });
      const message = "The room goes on; its players come back one after the other.";
      throw new MeridianError("unavailable", { message, retryAfterMs: Math.ceil(waitMs) });
    }
    if (waitMs > 0) await sleep(clock, waitMs);
    this.#turns.inc({ outcome: "answered" });
  }

  /**
   * Resolves when a player, who had their turn and has a seat, may be told so.
   * @param endsAtMs as above; then it is told at once
   */
  async door(nodeId: NodeId, endsAtMs: number): Promise<void> {
    const { clock, perSecond } = this.#options;
    const atMs = this.#next(this.#doors, nodeId, { perSecond: perSecond * CATCH_UP, random: 0 });
    const waitMs = Math.min(atMs, endsAtMs) - clock.monotonicMs();
    if (waitMs > 0) await sleep(clock, waitMs);
  }

  #slotOf(playerId: PlayerId, nodeId: NodeId): Slot {
    const { clock, random, perSecond } = this.#options;
    const nowMs = clock.monotonicMs();
    const known = this.#slots.get(playerId);
    if (known?.nodeId === nodeId && nowMs < known.atMs + SLOT_KEPT_MS) return known;
    const atMs = this.#next(this.#lanes, nodeId, { perSecond, random: random() });
    const slot = { nodeId, atMs };
    this.#slots.delete(playerId);
    this.#slots.set(playerId, slot);
    dropOldest(this.#slots, SLOTS_MAX);
    return slot;
  }

  #next(lanes: Map<NodeId, Lane>, nodeId: NodeId, pace: Pace): number {
    const before = lanes.get(nodeId) ?? FREE_LANE;
    const [lane, atMs] = nextSlot(before, this.#options.clock.monotonicMs(), pace);
    lanes.delete(nodeId);
    lanes.set(nodeId, lane);
    dropOldest(lanes, NODES_MAX);
    return atMs;
  }
}

function dropOldest<K>(map: Map<K, unknown>, sizeMax: number): void {
  if (map.size <= sizeMax) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
