/**
 * For work that a promotion may undo, because it is done again anyway: its commits are on the primary's disk when
 * they are answered, and don't wait for the standby. Never for what is worth money, sessions, epochs, claims,
 * fences, accounts or the audit log: those are answered when both have them, as is the server's default.
 */
import type pg from "pg";
import type { Connections, Tx } from "./database.ts";

export class LocalCommits implements Connections {
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  rows<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.transaction((tx) => tx.rows<Row>(text, values));
  }

  run(text: string, values?: readonly unknown[]): Promise<number> {
    return this.transaction((tx) => tx.run(text, values));
  }

  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#connections.transaction(async (tx) => {
      await tx.run("set local synchronous_commit = local");
      return await work(tx);
    });
  }
}
