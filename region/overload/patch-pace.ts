/**
 * Lets rooms send fewer patches while their node has too much to do, and gives each its own rate back.
 *
 * What a game sets meanwhile is its own rate from then on. Rates are changed one room after the other, spread
 * over one period: timers that are set at the same moment would fire at the same moment from then on, all
 * rooms' patches in one lump, with a worse delay than before.
 */
import type { Room } from "@colyseus/core";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { isDisposing } from "../node/room-internals.ts";

const SLOWER_BY = 2;
/**
 * A slowed room sends at least so often. A standby follows by the same patches, and may be 250 ms behind;
 * rooms that are slower by themselves stay as they are.
 */
export const SLOWEST_MS = 200;

interface Slowed {
  readonly ownMs: number | null;
  readonly slowedMs: number | null;
}

export class PatchPace {
  readonly #clock: Clock;
  readonly #slowed = new WeakMap<Room, Slowed>();
  readonly #pending = new Set<Cancel>();
  #slow = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Again and again, because rooms are made and games set rates. */
  keep(rooms: readonly Room[], slow: boolean): void {
    this.#slow = slow;
    const changing = rooms.filter((room) => this.#differs(room));
    for (const [index, room] of changing.entries()) {
      const spreadMs = (index / changing.length) * SLOWEST_MS;
      const cancel = this.#clock.after(spreadMs, () => {
        this.#pending.delete(cancel);
        this.#settle(room);
      });
      this.#pending.add(cancel);
    }
  }

  stop(): void {
    for (const cancel of this.#pending) cancel();
    this.#pending.clear();
  }

  #differs(room: Room): boolean {
    const slowed = this.#slowed.get(room);
    return this.#slow ? room.patchRate !== slowed?.slowedMs : slowed !== undefined;
  }

  #settle(room: Room): void {
    // A timer that is set after the room's end would run for ever.
    if (isDisposing(room) || !this.#differs(room)) return;
    const { patchRate: presentMs } = room;
    if (this.#slow) {
      const slowedMs = slower(presentMs);
      this.#slowed.set(room, { ownMs: presentMs, slowedMs });
      if (slowedMs !== presentMs) room.patchRate = slowedMs;
      return;
    }
    const slowed = this.#slowed.get(room);
    this.#slowed.delete(room);
    if (slowed && presentMs === slowed.slowedMs && presentMs !== slowed.ownMs) {
      room.patchRate = slowed.ownMs;
    }
  }
}

/** A room without a rate, or of rate 0, sends its patches by hand. */
function slower(rateMs: number | null): number | null {
  if (rateMs === null || rateMs <= 0 || rateMs >= SLOWEST_MS) return rateMs;
  return Math.min(SLOWEST_MS, rateMs * SLOWER_BY);
}
