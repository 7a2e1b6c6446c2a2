/**
 * Work that need not be done at once, in a process where others play: one short piece after the other, and after
 * each a rest at least as long as the piece took. So such work has half of the process at most, however much of it
 * comes together, and a tick waits for one piece. Small pieces rest together: a timer is never shorter than 1 ms.
 */
import { setImmediate as breath } from "node:timers/promises";
import { type Clock, sleep } from "../../shared/clock.ts";

/** Until then what was worked is only interrupted, for whatever waits. */
const REST_FROM_MS = 2;

/** Runs a piece in its turn. What it awaits is not waited for by the pieces after it. */
export type Slice = <T>(piece: () => T | Promise<T>) => Promise<T>;

/** Their waiting line is as long as callers make it: each has one piece in it at a time. */
export function inSlices(clock: Clock): Slice {
  let rested: Promise<void> = Promise.resolve();
  let workedMs = 0;
  const rest = async (tookMs: number): Promise<void> => {
    workedMs += tookMs;
    const restMs = workedMs;
    if (restMs < REST_FROM_MS) {
      await breath();
      return;
    }
    workedMs = 0;
    await sleep(clock, restMs);
  };
  return async (piece) => {
    const turn = rested;
    let endTurn: (tookMs: number) => void = () => {};
    rested = new Promise<number>((resolve) => {
      endTurn = resolve;
    }).then(rest);
    await turn;
    const beganMs = clock.monotonicMs();
    try {
      return piece();
    } finally {
      endTurn(clock.monotonicMs() - beganMs);
    }
  };
}
