/** Documents as game code makes them: looked over and copied, so that what is kept is what was given. */
import { isStorable, NESTING_MAX } from "../../shared/player-state/storable.ts";
import { type Document, FieldName, type Json } from "../../shared/protocol/player-state.ts";

/** @throws {TypeError} for what is no field's name, or can't be stored as it is */
export function copied(fields: Document): Document {
  const copy: Record<string, Json> = {};
  for (const [name, value] of Object.entries(fields)) {
    requireFieldName(name);
    // The document itself is the outermost level.
    if (!isStorable(value, NESTING_MAX - 1)) {
      throw new TypeError(`"${name}" has a value that can't be stored as it is`);
    }
    copy[name] = JSON.parse(JSON.stringify(value));
  }
  return copy;
}

/** A change with a name that the core refuses would hold up all that comes after it. */
export function requireFieldName(name: string): void {
  if (!FieldName.safeParse(name).success) throw new TypeError(`"${name}" can't be a field's name`);
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
