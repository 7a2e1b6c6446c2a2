/**
 * Which values every part on the way of a document can keep. A room checks them before it takes them: one
 * that the core could not store must not hold up all that waits behind it in an outbox.
 *
 * PostgreSQL's `jsonb` takes no NUL and no half of a surrogate pair, and gives up on deep nesting; a parser
 * of requests refuses keys by which an object's prototype could be reached.
 */
import type { Json } from "../protocol/player-state.ts";

/** Of arrays and objects in each other. */
export const NESTING_MAX = 32;

const HALF_A_PAIR = /\p{Cs}/u;

/** Whether it can be stored. Sees it as JSON does, and so only what is JSON. */
export function isStorable(value: unknown, nestingMax = NESTING_MAX): value is Json {
  switch (typeof value) {
    case "string":
      return isStorableText(value);
    case "number":
      return Number.isFinite(value);
    case "boolean":
      return true;
    case "object":
      if (value === null) return true;
      if (nestingMax === 0) return false;
      if (Array.isArray(value)) return value.every((one) => isStorable(one, nestingMax - 1));
      return isPlain(value) && hasStorableEntries(value, nestingMax - 1);
    default:
      return false;
  }
}

function hasStorableEntries(value: object, nestingMax: number): boolean {
  for (const [key, one] of Object.entries(value)) {
    if (key in Object.prototype || !isStorableText(key)) return false;
    if (!isStorable(one, nestingMax)) return false;
  }
  return true;
}

function isStorableText(text: string): boolean {
  return !HALF_A_PAIR.test(text) && !text.includes("\0");
}

/** A map, a date, an instance of a class would come back as something else. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
