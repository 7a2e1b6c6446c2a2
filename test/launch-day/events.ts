/** What happens when: a binary heap of clients by time; those of the same time in the order of their numbers. */

export class Events {
  #times = new Float64Array(1 << 16);
  #clients = new Int32Array(1 << 16);
  #size = 0;

  /** Infinity when nothing is to come. */
  get nextMs(): number {
    return this.#size > 0 ? (this.#times[0] ?? 0) : Number.POSITIVE_INFINITY;
  }

  push(atMs: number, client: number): void {
    if (this.#size === this.#times.length) this.#grow();
    let at = this.#size;
    this.#size += 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!this.#isBefore(atMs, client, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#times[at] = atMs;
    this.#clients[at] = client;
  }

  /** The client whose turn is first; there must be one. */
  pop(): number {
    const first = this.#clients[0] ?? 0;
    this.#size -= 1;
    const atMs = this.#times[this.#size] ?? 0;
    const client = this.#clients[this.#size] ?? 0;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      const right = child + 1;
      if (right < this.#size) {
        const rightMs = this.#times[right] ?? 0;
        if (this.#isBefore(rightMs, this.#clients[right] ?? 0, child)) child = right;
      }
      if (this.#isBefore(atMs, client, child)) break;
      this.#move(child, at);
      at = child;
    }
    this.#times[at] = atMs;
    this.#clients[at] = client;
    return first;
  }

  #isBefore(atMs: number, client: number, other: number): boolean {
    const otherMs = this.#times[other] ?? 0;
    return atMs < otherMs || (atMs === otherMs && client < (this.#clients[other] ?? 0));
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] ?? 0;
    this.#clients[to] = this.#clients[from] ?? 0;
  }

  #grow(): void {
    const times = new Float64Array(2 * this.#size);
    const clients = new Int32Array(2 * this.#size);
    times.set(this.#times);
    clients.set(this.#clients);
    this.#times = times;
    this.#clients = clients;
  }
}
