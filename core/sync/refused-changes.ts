/**
 * Changes that were refused, kept for an operator: to be made on the document as it is now, or dropped.
 *
 * At most `KEPT_MAX` unresolved ones are kept, and a few more for a moment; past that the oldest go, which
 * is logged and counted.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { Database, Tx } from "../db/database.ts";
import { type Recording, unrecorded } from "../db/recording.ts";
import { LogPace } from "../http/log-pace.ts";
import { documentAfter } from "./applier-step.ts";
import { lockOwner } from "./owner-store.ts";
import * as store from "./refused-store.ts";
import { lockPlayers, selectDocuments, writeDocuments } from "./sync-store.ts";

const KEPT_MAX = 20_000;
/** After so many new ones those past the bound are looked for. */
const LOOK_AFTER = 500;

export interface RefusedChangesDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly keptMax?: number;
}

export class RefusedChanges {
  readonly #deps: RefusedChangesDeps;
  readonly #dropped: Counter;
  readonly #pace = new LogPace();
  /** At a start, as many as are needed to look at the first one. */
  #sinceLook = LOOK_AFTER;
  #dropping: Promise<void> | undefined;

  constructor(deps: RefusedChangesDeps) {
    this.#deps = deps;
    this.#dropped = new Counter({
      name: "meridian_refused_changes_dropped_total",
      help: "Refused changes that were dropped unresolved, because too many were kept.",
      registers: [deps.metrics],
    });
  }

  /** A batch was applied of which so many items were not. */
  note(what: {
    readonly producerId: string;
    readonly refused: number;
    readonly reason: string | undefined;
  }): void {
    const { log, clock } = this.#deps;
    const held = this.#pace.permit(clock.monotonicMs());
    if (held !== undefined) {
      log.warn(
        { ...what, held, runbook: "core-refused-changes" },
        "changes of players were refused",
      );
    }
    this.#sinceLook += what.refused;
    if (this.#sinceLook < LOOK_AFTER) return;
    this.#sinceLook = 0;
    this.#dropping ??= this.#dropOldest()
      .catch((err: unknown) => {
        log.warn({ err, runbook: "core-database" }, "refused changes can't be bounded");
      })
      .finally(() => {
        this.#dropping = undefined;
      });
  }

  /** When nothing is being dropped. */
  async settled(): Promise<void> {
    await this.#dropping;
  }

  list(playerId: PlayerId | undefined, limit: number): Promise<store.RefusedRow[]> {
    return store.selectRefused(this.#deps.database, playerId, limit);
  }

  /** @throws {MeridianError} `not_found` */
  async playerOf(id: number): Promise<PlayerId> {
    return await this.#deps.database.transaction(async (tx) => (await required(tx, id)).player_id);
  }

  /**
   * Makes the change on the document as it is now.
   * @throws {MeridianError} `not_found`; `conflict` while a node holds the player, or when it can't be made
   */
  apply(id: number, by: string, record: Recording = unrecorded): Promise<void> {
    return this.#deps.database.transaction(async (tx) => {
      const { item, reason } = await required(tx, id);
      if (reason === "unstorable") throw refusal("Its values could not be kept: drop it.");
      await requireUnheld(tx, item.playerId);
      const at = new Date(this.#deps.clock.nowMs());
      const [before] = await selectDocuments(tx, [item]);
      if (before && before.format !== item.format) {
        throw refusal(
          `The document is of format ${before.format} by now, the change of ${item.format}.`,
        );
      }
      const written = documentAfter(item, before, before?.version ?? 0);
      if (typeof written === "string") throw refusal(`The change can't be made: ${written}.`);
      if (!(await writeDocuments(tx, [written], at))) throw refusal("Others write it: try again.");
      await store.resolveRefused(tx, id, { by, resolution: "applied", at });
      await record(tx);
    });
  }

  /** @throws {MeridianError} `not_found` */
  drop(id: number, by: string, record: Recording = unrecorded): Promise<void> {
    return this.#deps.database.transaction(async (tx) => {
      await required(tx, id);
      const at = new Date(this.#deps.clock.nowMs());
      await store.resolveRefused(tx, id, { by, resolution: "dropped", at });
      await record(tx);
    });
  }

  async #dropOldest(): Promise<void> {
    const { database, log, keptMax = KEPT_MAX } = this.#deps;
    const dropped = await store.dropOldestRefused(database, keptMax);
    if (dropped === 0) return;
    this.#dropped.inc(dropped);
    log.error(
      { dropped, keptMax, runbook: "core-refused-changes" },
      "refused changes were dropped: too many are unresolved",
    );
  }
}

async function required(tx: Tx, id: number): Promise<store.RefusedRow> {
  const row = await store.lockRefused(tx, id);
  if (row) return row;
  throw new MeridianError("not_found", { message: `No refused change ${id} is unresolved.` });
}

/** The owner's row stays with the transaction: a load of the player waits, and finds the change. */
async function requireUnheld(tx: Tx, playerId: PlayerId): Promise<void> {
  if ((await lockPlayers(tx, [playerId])).length === 0) throw refusal("The player was deleted.");
  const owner = await lockOwner(tx, playerId);
  if (owner?.standing !== "held") return;
  throw refusal(`${owner.nodeId} holds the player: try again when they have left.`);
}

function refusal(message: string): MeridianError {
  return new MeridianError("conflict", { message });
}
