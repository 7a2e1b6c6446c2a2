/** Work of which only so many pieces run at a time; the others wait their turn, in order. */
import { setImmediate as breath } from "node:timers/promises";

/** @returns runs a piece of work in its turn; between two of one slot the process does what else waits */
export function atATime(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((turn) => waiting.push(turn));
    else running += 1;
    try {
      await breath();
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
