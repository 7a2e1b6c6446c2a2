/**
 * One document as a room has it: its fields, how large it is as JSON, and which fields the core may have.
 *
 * It is changed in place, hundreds of times a second for many players: what `get` shows is made when somebody
 * looks, and frozen, so that nothing changes unseen.
 */
import type { FieldChanges } from "../../shared/player-state/change.ts";
import { replacing } from "../../shared/player-state/change.ts";
import {
  DOCUMENT_BYTES_MAX,
  type Document,
  FIELDS_MAX,
  type Json,
} from "../../shared/protocol/player-state.ts";
import { frozen } from "./document.ts";

/** What JSON.stringify makes of a document besides its names and values. */
const FIELD_EXTRA_BYTES = 4;
const BRACES_BYTES = 1;

/** What a change would make of the copy; nothing has happened yet. */
export interface PlannedChange {
  readonly set: Document;
  readonly unset: readonly string[];
  readonly sizes: readonly number[];
  /** Of the fields that it sets, as JSON. */
  readonly setBytes: number;
  readonly bytes: number;
}

export class WorkingCopy {
  readonly #fields: Record<string, Json>;
  readonly #sizes = new Map<string, number>();
  /** Fields that the core may have: those that ever were there. */
  readonly #ever: Set<string>;
  #bytes = BRACES_BYTES;
  #shown: Document | undefined;
  /** Whether the core has another document than this, so that the next change must be the whole. */
  behind: boolean;

  constructor(document: Document, ever: Iterable<string>, behind: boolean) {
    this.#fields = { ...document };
    this.#ever = new Set([...ever, ...Object.keys(document)]);
    this.behind = behind;
    for (const name in document) this.#resize(name, sizeOf(name, document[name] as Json));
  }

  /** Frozen; another one after a change. */
  get document(): Document {
    this.#shown ??= frozen({ ...this.#fields });
    return this.#shown;
  }

  has(name: string): boolean {
    return this.#sizes.has(name);
  }

  /** Of the document as JSON. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What makes the core's document this one. */
  get whole(): FieldChanges {
    return replacing(this.document, this.#ever);
  }

  /** @throws {RangeError} past the limits */
  plan(set: Document, unset: readonly string[]): PlannedChange {
    const sizes: number[] = [];
    let setBytes = 0;
    let bytes = this.#bytes;
    let count = this.#sizes.size;
    for (const name in set) {
      const size = sizeOf(name, set[name] as Json);
      const before = this.#sizes.get(name);
      sizes.push(size);
      setBytes += size;
      bytes += size - (before ?? 0);
      if (before === undefined) count += 1;
    }
    for (const name of unset) {
      const before = this.#sizes.get(name);
      bytes -= before ?? 0;
      if (before !== undefined) count -= 1;
    }
    if (count > FIELDS_MAX) throw new RangeError(`more than ${FIELDS_MAX} fields`);
    if (bytes > DOCUMENT_BYTES_MAX) {
      throw new RangeError(`a document of more than ${DOCUMENT_BYTES_MAX} bytes`);
    }
    return { set, unset, sizes, setBytes, bytes };
  }

  /** What makes the core's document this one with the change made. */
  wholeWith({ set, unset }: PlannedChange): FieldChanges {
    const document = { ...this.#fields, ...set };
    for (const name of unset) delete document[name];
    return replacing(document, [...this.#ever, ...Object.keys(set)]);
  }

  apply({ set, unset, sizes }: PlannedChange): void {
    let at = 0;
    for (const name in set) {
      this.#fields[name] = set[name] as Json;
      this.#ever.add(name);
      this.#resize(name, sizes[at] ?? 0);
      at += 1;
    }
    for (const name of unset) {
      delete this.#fields[name];
      this.#bytes -= this.#sizes.get(name) ?? 0;
      this.#sizes.delete(name);
    }
    this.#shown = undefined;
    this.behind = false;
  }

  #resize(name: string, size: number): void {
    this.#bytes += size - (this.#sizes.get(name) ?? 0);
    this.#sizes.set(name, size);
  }
}

/** In bytes, as JSON. Field names are ASCII. */
function sizeOf(name: string, value: Json): number {
  return name.length + FIELD_EXTRA_BYTES + bytesOf(value);
}

function bytesOf(value: Json): number {
  if (typeof value === "number") return String(value).length;
  return Buffer.byteLength(JSON.stringify(value));
}
