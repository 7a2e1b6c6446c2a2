/**
 * Documents as this process wrote them last, so that a batch need not read them again from the database.
 *
 * It is never the authority: a document is written only onto the version that it was made from. Where
 * somebody else has written meanwhile, that is noticed, and the batch is done again without the cache.
 *
 * It keeps two generations. When the younger one is full it becomes the older, and what was not used since
 * goes. (One map in the order of use took twice as long as all the rest of a batch: V8 steps over every
 * entry that was ever removed.)
 */
import type { Document } from "../../shared/protocol/player-state.ts";
import { type DocumentRow, documentKey, type WrittenDocument } from "./applier-step.ts";

/** As text: so many objects would cost the garbage collector more than parsing does. */
type Written = Omit<WrittenDocument, "fields">;

export class DocumentCache {
  readonly #charactersMax: number;
  #younger = new Map<string, Written>();
  #older = new Map<string, Written>();
  /** Of what was put into the younger generation. */
  #characters = 0;

  /** @param charactersMax of the documents' JSON, both generations together */
  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax;
  }

  get(key: string): DocumentRow | undefined {
    const written = this.#younger.get(key) ?? this.#older.get(key);
    if (!written) return undefined;
    const { playerId, collection, format, version, text } = written;
    return { playerId, collection, format, version, fields: JSON.parse(text) as Document };
  }

  /** What was committed. Two batches may say so in another order than they were committed in. */
  put({ playerId, collection, format, version, text }: WrittenDocument): void {
    const key = documentKey(playerId, collection);
    const before = this.#younger.get(key);
    if (before && before.version > version) return;
    if (this.#characters + text.length > this.#charactersMax / 2) {
      this.#older = this.#younger;
      this.#younger = new Map();
      this.#characters = 0;
    }
    this.#younger.set(key, { playerId, collection, format, version, text });
    this.#characters += text.length - (before?.text.length ?? 0);
  }

  forget(key: string): void {
    this.#older.delete(key);
    const written = this.#younger.get(key);
    if (!written) return;
    this.#younger.delete(key);
    this.#characters -= written.text.length;
  }
}
