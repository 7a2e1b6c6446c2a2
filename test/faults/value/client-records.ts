/**
 * What the players of a campaign were promised. It is kept on their side alone, so that it outlives every
 * process of the world, and is what the database must agree with at the end.
 */
import type { OpId, Refusal, ValueChange } from "../../../shared/protocol/value.ts";

/** An operation whose outcome a player was told. */
export interface PromisedOp {
  readonly id: OpId;
  readonly changes: readonly ValueChange[];
  /** Null: committed. */
  readonly refusal: Refusal | null;
}

export class ClientRecords {
  readonly #promised = new Map<OpId, PromisedOp>();
  /** Promises about one operation that contradict each other. */
  readonly contradictions: string[] = [];
  /** Operations that were asked for, and of which nobody was told what became of them. */
  unknown = 0;
  /** How often players were told why nothing is known, or nothing was tried. */
  readonly notTold = new Map<string, number>();

  /** Of how many operations the outcome was told. */
  get told(): number {
    return this.#promised.size;
  }

  get promised(): readonly PromisedOp[] {
    return [...this.#promised.values()];
  }

  /** An operation that is asked for twice is told twice, and must be told the same. */
  promise(op: PromisedOp): void {
    const before = this.#promised.get(op.id);
    if (before && JSON.stringify(before) !== JSON.stringify(op)) {
      this.contradictions.push(`${op.id}: told ${textOf(before)}, then ${textOf(op)}`);
    }
    this.#promised.set(op.id, op);
  }
}

function textOf({ refusal, changes }: PromisedOp): string {
  return `${refusal ?? "committed"} ${JSON.stringify(changes)}`;
}
