/** Documents as game code makes them: looked over and copied, so that what is kept is what was given. */
import { isStorable, NESTING_MAX } from "../../shared/player-state/storable.ts";
import { type Document, FieldName, type Json } from "../../shared/protocol/player-state.ts";

/**
 * @param known names that need no look
 * @throws {TypeError} for what is no field's name, or can't be stored as it is
 */
export function copied(fields: Document, known?: { has(name: string): boolean }): Document {
  const copy: Record<string, Json> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (!known?.has(name)) requireFieldName(name);
    // The document itself is the outermost level.
    if (!isStorable(value, NESTING_MAX - 1)) {
      throw new TypeError(`"${name}" has a value that can't be stored as it is`);
    }
    copy[name] = typeof value === "object" && value !== null ? frozenCopy(value) : (value as Json);
  }
  return copy;
}

/** A change with a name that the core refuses would hold up all that comes after it. */
export function requireFieldName(name: string): void {
  if (!FieldName.safeParse(name).success) throw new TypeError(`"${name}" can't be a field's name`);
}

function frozenCopy(value: Json): Json {
  return frozen(JSON.parse(JSON.stringify(value)));
}

/** In depth. */
export function frozen(value: Document): Document {
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null && !Object.isFrozen(part)) {
      frozen(part as Document);
    }
  }
  return Object.freeze(value);
}
