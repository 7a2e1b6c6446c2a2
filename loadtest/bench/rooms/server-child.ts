/** What every server of the benchmark tells its parent of itself. */
import { TICK_MS } from "./game.ts";

/** Of one process, by its own account. */
export interface Usage {
  /** On its own monotonic clock. */
  readonly atMs: number;
  /** User and system time of all its threads since it started. */
  readonly cpuUs: number;
  readonly rssBytes: number;
}

/** Far more than in any window: 20 rooms tick 400 times a second. */
const LATENESSES_MAX = 100_000;

let latenessesMs: number[] = [];

/** When one room ticks. */
export class TickWatch {
  #lastMs = performance.now();

  /** A tick begins: it is late by what is more than one period after the one before it. */
  began(): void {
    const nowMs = performance.now();
    const latenessMs = Math.max(0, nowMs - this.#lastMs - TICK_MS);
    this.#lastMs = nowMs;
    if (latenessesMs.length < LATENESSES_MAX) latenessesMs.push(latenessMs);
  }
}

/** What each server answers besides `start`. */
export const ownAccount = {
  usage(): Usage {
    const { user, system } = process.cpuUsage();
    return { atMs: performance.now(), cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
  },
  /** Of all rooms' ticks since it was asked before. */
  takeLatenesses(): number[] {
    const taken = latenessesMs;
    latenessesMs = [];
    return taken;
  },
};
