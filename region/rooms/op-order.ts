/**
 * Brings the operations of a room into their order. Answers come as they come, `opSeq` says which place each
 * has: one is given out once all before it are known, and never again. A refused one takes a place, too, and
 * is passed over.
 *
 * What waits for an earlier answer is bounded by `HELD_MAX`, past which the room takes no new operations
 * (`full`). A gap that lasts is closed by asking the core (`learn`): it can hold an answer that is still under
 * way, or a place that nobody will ever have, because a core that was restored from a backup lost it.
 */
import type { RoomOp, RoomOps } from "../../shared/protocol/value.ts";

/** Of one room; as many as a node has under way at most. */
const HELD_MAX = 1_000;

export class OpOrder {
  #delivered: number;
  #seen: number;
  /** Up to here the core said all that there is. */
  #certain: number;
  /** By place; undefined for one that was refused. */
  readonly #held = new Map<number, RoomOp | undefined>();

  /** @param delivered the place up to which all were given out, in this room's former lives */
  constructor(delivered: number) {
    this.#delivered = delivered;
    this.#seen = delivered;
    this.#certain = delivered;
  }

  /** All up to this place were given out. */
  get delivered(): number {
    return this.#delivered;
  }

  /** The highest place that was heard of. */
  get seen(): number {
    return this.#seen;
  }

  /** Whether one waits for an earlier one. */
  get gap(): boolean {
    return this.#held.size > 0;
  }

  get full(): boolean {
    return this.#held.size >= HELD_MAX;
  }

  /** An answer came. Makes those that are next ready for `take`. @param op undefined when it was refused */
  note(opSeq: number, op: RoomOp | undefined): void {
    this.#seen = Math.max(this.#seen, opSeq);
    if (opSeq > this.#delivered) this.#held.set(opSeq, op);
  }

  /** The core says which were committed up to a place: what is not among them is nobody's. */
  learn({ ops, upTo }: RoomOps): void {
    for (const op of ops) this.note(op.opSeq, op);
    this.#certain = Math.max(this.#certain, upTo);
    this.#seen = Math.max(this.#seen, upTo);
  }

  /** The next one to give out, which it counts as from now on. */
  take(): RoomOp | undefined {
    for (let place = this.#next(); place !== undefined; place = this.#next()) {
      this.#delivered = place;
      const op = this.#held.get(place);
      this.#held.delete(place);
      if (op) return op;
    }
    this.#delivered = Math.max(this.#delivered, this.#certain);
    return undefined;
  }

  /** A new room begins after whatever was done under its id before. */
  beginAfter(opSeq: number): void {
    this.#delivered = Math.max(this.#delivered, opSeq);
    this.#certain = Math.max(this.#certain, opSeq);
    this.#seen = Math.max(this.#seen, opSeq);
  }

  #next(): number | undefined {
    const next = this.#delivered + 1;
    if (this.#held.has(next)) return next;
    if (this.#held.size === 0 || next > this.#certain) return undefined;
    const first = Math.min(...this.#held.keys());
    return first <= this.#certain ? first : undefined;
  }
}
