/** Tables that can be taken back to any moment: a database's log, or a Redis' append-only file. */

interface Undo {
  readonly position: number;
  readonly undo: () => void;
}

export class History {
  /** Of the newest commit. It only grows, also after a rewind. */
  position = 0;
  readonly #undos: Undo[] = [];

  /** @returns the commit's position */
  commit(write: (position: number) => void): number {
    this.position += 1;
    write(this.position);
    return this.position;
  }

  /** To be called by tables at each write of a commit. */
  record(undo: () => void): void {
    this.#undos.push({ position: this.position, undo });
  }

  /** Takes back every commit after that position. */
  rewind(to: number): void {
    for (let last = this.#undos.at(-1); last && last.position > to; last = this.#undos.at(-1)) {
      this.#undos.pop();
      last.undo();
    }
  }
}

/** Rows are never changed in place. */
export class Table<Row> {
  readonly #history: History;
  readonly #rows = new Map<string, Row>();

  constructor(history: History) {
    this.#history = history;
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  set(key: string, row: Row): void {
    this.#remember(key);
    this.#rows.set(key, row);
  }

  delete(key: string): void {
    this.#remember(key);
    this.#rows.delete(key);
  }

  entries(): [string, Row][] {
    return [...this.#rows];
  }

  #remember(key: string): void {
    const before = this.#rows.get(key);
    this.#history.record(() => {
      if (before === undefined) this.#rows.delete(key);
      else this.#rows.set(key, before);
    });
  }
}
