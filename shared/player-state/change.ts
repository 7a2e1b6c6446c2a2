/**
 * Changes of documents: what one does to a document, and two as one.
 *
 * For every document, applying `merged(a, b)` is the same as applying `a` and then `b`. So it does not
 * matter how many changes an outbox has made one of, nor where the cuts fell. (Of fractions, and past 2^53,
 * sums are the same but for rounding.)
 */
import type { Document, Json, StateChange } from "../protocol/player-state.ts";

/** The part of a change that says what happens to fields. */
export type FieldChanges = Pick<StateChange, "set" | "add" | "unset">;

/** The document after the change. Fields stay in the order in which they came. */
export function changed(document: Document, { set, add, unset }: FieldChanges): Document {
  const after: Record<string, Json> = { ...document };
  for (const field of unset ?? []) delete after[field];
  for (const field in set) after[field] = set[field] as Json;
  for (const field in add) after[field] = numberIn(after, field) + (add[field] ?? 0);
  return after;
}

/** First `a`, then `b`. */
export function merged(a: FieldChanges, b: FieldChanges): FieldChanges {
  const set: Record<string, Json> = { ...a.set };
  const add: Record<string, number> = { ...a.add };
  const unset = new Set(a.unset);
  for (const field of b.unset ?? []) {
    delete set[field];
    delete add[field];
    unset.add(field);
  }
  for (const field in b.set) {
    delete add[field];
    unset.delete(field);
    set[field] = b.set[field] as Json;
  }
  for (const field in b.add) {
    const amount = b.add[field] ?? 0;
    if (Object.hasOwn(set, field)) set[field] = numberIn(set, field) + amount;
    else if (unset.delete(field)) set[field] = amount;
    else add[field] = numberIn(add, field) + amount;
  }
  return {
    ...(hasAny(set) && { set }),
    ...(hasAny(add) && { add }),
    ...(unset.size > 0 && { unset: [...unset] }),
  };
}

/** What makes any document that document, for one that may hold those other fields. */
export function replacing(document: Document, others: Iterable<string> = []): FieldChanges {
  const unset = [...others].filter((field) => !Object.hasOwn(document, field));
  return { set: { ...document }, ...(unset.length > 0 && { unset }) };
}

function numberIn(fields: Readonly<Record<string, Json>>, field: string): number {
  const value = Object.hasOwn(fields, field) ? fields[field] : 0;
  return typeof value === "number" ? value : 0;
}

function hasAny(fields: object): boolean {
  for (const _ in fields) return true;
  return false;
}
