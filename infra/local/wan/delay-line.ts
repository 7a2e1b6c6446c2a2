/**
 * One direction of a delayed connection: what goes in comes out `delayMs` later, in order.
 *
 * Each item carries the moment it is due, so delays neither drift nor add up, and a shorter delay set
 * meanwhile never lets a later item overtake an earlier one. While held, nothing comes out; what became
 * due comes out at the release, as it would after a network that lost packets retransmits them.
 */
import type { Cancel, Clock } from "../../../shared/clock.ts";

export class DelayLine<Item> {
  readonly #clock: Clock;
  readonly #deliver: (item: Item) => void;
  readonly #queue: { readonly item: Item; readonly dueMs: number }[] = [];
  #lastDueMs = 0;
  #held = false;
  #cancel: Cancel | undefined;

  constructor(clock: Clock, deliver: (item: Item) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  push(item: Item, delayMs: number): void {
    this.#lastDueMs = Math.max(this.#lastDueMs, this.#clock.monotonicMs() + delayMs);
    this.#queue.push({ item, dueMs: this.#lastDueMs });
    this.#schedule();
  }

  hold(): void {
    this.#held = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  release(): void {
    this.#held = false;
    this.#schedule();
  }

  /** Forgets what is under way. */
  clear(): void {
    this.#queue.length = 0;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    const next = this.#queue[0];
    if (this.#held || this.#cancel || !next) return;
    // A timer may fire up to 1 ms early.
    const waitMs = Math.max(0, Math.ceil(next.dueMs - this.#clock.monotonicMs()));
    this.#cancel = this.#clock.after(waitMs, () => {
      this.#cancel = undefined;
      this.#deliverDue();
      this.#schedule();
    });
  }

  #deliverDue(): void {
    while (!this.#held) {
      const next = this.#queue[0];
      if (!next || next.dueMs > this.#clock.monotonicMs()) return;
      this.#queue.shift();
      this.#deliver(next.item);
    }
  }
}
