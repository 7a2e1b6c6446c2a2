/**
 * Which share of the seats goes past a class while it waits: to players of classes with more weight who come and
 * hardly wait. Those who are there already are counted in their lines, and those of a lost region come all at
 * once and not again. Exponentially decayed, by seats.
 */
import { type ClassSpec, FAILOVER } from "./classes.ts";

/** Who waited longer was counted in its line. */
const SOON_MS = 60_000;
/** Of each seat. */
const SHARE = 1 / 256;

export class Overtakes {
  readonly #specs: readonly ClassSpec[];
  readonly #shares: number[];

  constructor(specs: readonly ClassSpec[]) {
    this.#specs = specs;
    this.#shares = specs.map(() => 0);
  }

  /** Somebody was called while others wait. */
  note(classIndex: number, size: number, waitedMs: number): void {
    const called = this.#specs[classIndex];
    if (!called || called.name === FAILOVER) return;
    const isSoon = waitedMs < SOON_MS;
    const kept = (1 - SHARE) ** size;
    for (const [index, { weight }] of this.#specs.entries()) {
      const isPast = isSoon && weight < called.weight;
      this.#shares[index] = (this.#shares[index] ?? 0) * kept + (isPast ? 1 - kept : 0);
    }
  }

  /** 0 to 1. */
  of(classIndex: number): number {
    return this.#shares[classIndex] ?? 0;
  }
}
