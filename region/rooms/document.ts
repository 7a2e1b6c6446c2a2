/** Documents as game code makes them: looked over and copied, so that what is kept is what was given. */
import { type Document, FieldName, type Json } from "../../shared/protocol/player-state.ts";

const JSON_TYPES: ReadonlySet<string> = new Set(["string", "boolean", "object"]);

/** @throws {TypeError} for what is no JSON, or no field's name */
export function copied(fields: Document): Document {
  const copy: Record<string, Json> = {};
  for (const [name, value] of Object.entries(fields)) {
    requireFieldName(name);
    copy[name] = JSON.parse(JSON.stringify(value, requireJson(name)));
  }
  return copy;
}

/** A change with a name that the core refuses would hold up all that comes after it. */
export function requireFieldName(name: string): void {
  if (!FieldName.safeParse(name).success) throw new TypeError(`"${name}" can't be a field's name`);
}

/** JSON.stringify leaves some of it out, or makes null of it, without a word. */
function requireJson(field: string): (key: string, value: unknown) => unknown {
  return (_key, value) => {
    const isJson =
      typeof value === "number" ? Number.isFinite(value) : JSON_TYPES.has(typeof value);
    if (!isJson) throw new TypeError(`"${field}": ${String(value)} is no JSON`);
    return value;
  };
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
