/**
 * The ids of tickets that brought their player in, so that each works once. An id is forgotten when
 * its ticket has expired anyway. When full of tickets that have not, a further one is refused: to
 * forget an unexpired id would let it be replayed.
 */
export type Consumption = "consumed" | "used_before" | "full";

export class ConsumedTickets {
  readonly #max: number;
  /** Ticket id → when it expires, core time, ms; in order of arrival, so nearly in that of expiry. */
  readonly #expiries = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#expiries.size;
  }

  has(ticketId: string): boolean {
    return this.#expiries.has(ticketId);
  }

  consume(ticketId: string, expiresAtMs: number, coreNowMs: number): Consumption {
    if (this.#expiries.has(ticketId)) return "used_before";
    this.#forgetOldest(coreNowMs);
    if (this.#expiries.size >= this.#max) this.#forgetAll(coreNowMs);
    if (this.#expiries.size >= this.#max) return "full";
    this.#expiries.set(ticketId, expiresAtMs);
    return "consumed";
  }

  /** The cheap sweep: stops at the first that has not expired. */
  #forgetOldest(coreNowMs: number): void {
    for (const [ticketId, expiresAtMs] of this.#expiries) {
      if (expiresAtMs > coreNowMs) return;
      this.#expiries.delete(ticketId);
    }
  }

  #forgetAll(coreNowMs: number): void {
    for (const [ticketId, expiresAtMs] of this.#expiries) {
      if (expiresAtMs <= coreNowMs) this.#expiries.delete(ticketId);
    }
  }
}
