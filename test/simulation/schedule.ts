/** Virtual time: what is to happen, in order. Two things at one moment happen in the order of their planning. */

interface Planned {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class Schedule {
  nowMs = 0;
  /** How many things have happened. */
  steps = 0;
  #order = 0;
  /** A binary heap, the next one first. */
  readonly #heap: Planned[] = [];

  after(delayMs: number, run: () => void): void {
    this.#order += 1;
    const planned = { atMs: this.nowMs + delayMs, order: this.#order, run };
    this.#heap.push(planned);
    this.#rise(this.#heap.length - 1);
  }

  /** Lets everything happen that is due before then, or until `isOver`. */
  runUntil(endMs: number, isOver: () => boolean = () => false): void {
    for (let next = this.#heap[0]; next && next.atMs <= endMs && !isOver(); next = this.#heap[0]) {
      this.#take();
      this.nowMs = next.atMs;
      this.steps += 1;
      next.run();
    }
    if (!isOver()) this.nowMs = endMs;
  }

  #take(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last && heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
  }

  #rise(from: number): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(heap[at] as Planned, heap[above] as Planned)) return;
      [heap[at], heap[above]] = [heap[above] as Planned, heap[at] as Planned];
      at = above;
    }
  }

  #sink(): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let least = at;
      for (const below of [2 * at + 1, 2 * at + 2]) {
        const other = heap[below];
        if (other && isBefore(other, heap[least] as Planned)) least = below;
      }
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least] as Planned, heap[at] as Planned];
      at = least;
    }
  }
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
