/** How often something happened of late: a sum that decays. Pure apart from it. */

/** What is so long ago counts for a third, ms. */
const TAU_MS = 20_000;

export class Pace {
  #sum = 0;
  #atMs = 0;

  add(times: number, nowMs: number): void {
    this.#sum = this.#at(nowMs) + times;
    this.#atMs = Math.max(this.#atMs, nowMs);
  }

  perSecond(nowMs: number): number {
    return (this.#at(nowMs) / TAU_MS) * 1_000;
  }

  #at(nowMs: number): number {
    return this.#sum * Math.exp(-Math.max(0, nowMs - this.#atMs) / TAU_MS);
  }
}
