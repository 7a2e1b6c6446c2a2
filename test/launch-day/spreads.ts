/** Counts of many values in bins that grow by a hundredth each, so that a day needs no list of them. */

const GROWTH = Math.log(1.01);

export class Spread {
  readonly #bins = new Map<number, number>();
  count = 0;
  max = 0;

  /** Not below 0. */
  add(value: number): void {
    const bin = Math.ceil(Math.log(1 + value) / GROWTH);
    this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + 1);
    this.count += 1;
    this.max = Math.max(this.max, value);
  }

  /** NaN for nothing. */
  at(percent: number): number {
    let left = (this.count * percent) / 100;
    for (const bin of [...this.#bins.keys()].sort((a, b) => a - b)) {
      left -= this.#bins.get(bin) ?? 0;
      if (left <= 0) return Math.min(this.max, Math.exp(bin * GROWTH) - 1);
    }
    return Number.NaN;
  }
}
