/**
 * Notices that the database is not the one it was: a standby was promoted, or a backup restored, while this process
 * runs. Each new connection is checked before its first statement (`migrations/0018_lineage.sql`): none outlives
 * the server it was made to, so nothing is done on another timeline under what was known before. Who leads must end
 * then; who follows has granted nothing, reads anew what it leads by once it does, and goes on.
 */
import type pg from "pg";
import type { Logger } from "pino";
import { MeridianError } from "../../shared/errors.ts";

const RETRY_AFTER_MS = 1_000;

interface Followed {
  readonly lineage: string;
  readonly before: number;
  readonly term: number;
}

export class LineageWatch {
  /** Resolves with why this process must end. */
  readonly moved: Promise<string>;
  readonly #log: Logger;
  #move: (why: string) => void = () => {};
  #known: string | undefined;

  constructor(log: Logger) {
    this.#log = log;
    this.moved = new Promise((resolve) => {
      this.#move = resolve;
    });
  }

  /**
   * Raises the term when the database goes on elsewhere than where it was left.
   * @param leads whether this process does
   * @throws {MeridianError} `unavailable` to a leader on another lineage than that of the connections before
   */
  async check(client: pg.ClientBase, leads: boolean): Promise<void> {
    const { rows } = await client.query<Followed>(
      "select lineage, before, term from meridian.follow_lineage()",
    );
    const [row] = rows;
    if (!row) throw new Error("the database did not say where it goes on");
    const { lineage, before, term } = row;
    if (before !== term) {
      this.#log.warn(
        { before, term, lineage, runbook: "core-database-failover" },
        "the database goes on elsewhere: the core's term was raised",
      );
    }
    if (!leads) this.#known = lineage;
    if (this.#known === lineage) return;
    this.#move(`the database goes on elsewhere, as ${lineage}; it was ${this.#known}`);
    throw new MeridianError("unavailable", {
      message: "The database is another than it was.",
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
}
