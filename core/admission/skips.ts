/**
 * How many players are ahead of those who are called: the absent, and parties that do not fit. A player alone
 * takes seats that are free one by one and so gets past many, a large party past few; whoever waits is told of
 * the rest only. By class and size, exponentially decayed.
 */

/** Larger ones are as this one. */
const SIZE_MAX = 8;
/** Of each new one. */
const SHARE = 1 / 32;

export class Skips {
  readonly #seats: readonly number[][];

  constructor(classes: number) {
    this.#seats = Array.from({ length: classes }, () => []);
  }

  /** Somebody was called before so many players with lower numbers, less those with higher ones who came before it. */
  note(classIndex: number, size: number, ahead: number): void {
    const before = this.of(classIndex, size);
    const seats = this.#seats[classIndex];
    if (seats) seats[Math.min(size, SIZE_MAX)] = before + SHARE * (ahead - before);
  }

  /** As many players ahead as do not count for those of the size. */
  of(classIndex: number, size: number): number {
    return this.#seats[classIndex]?.[Math.min(size, SIZE_MAX)] ?? 0;
  }
}
