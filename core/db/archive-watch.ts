/**
 * Watches whether the database gets its log archived: with the server, all is lost that the archive has not,
 * and a log that can't be archived fills the server's disk. Says so once, again each ten minutes, and when it
 * is well again. A database without an archive is left alone.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Database } from "./database.ts";

const PERIOD_MS = 15_000;
const SAY_AGAIN_MS = 600_000;
/** A segment is archived within a minute of its end, and PostgreSQL tries a failed one each minute. */
const LATE_MS = 300_000;

export interface ArchiveReport {
  /** Whether there is an archive at all. */
  readonly archives: boolean;
  readonly failedAt: Date | null;
  readonly failedWal: string | null;
  readonly archivedAt: Date | null;
  /** Segments that have ended and are not archived; null when nothing was archived yet. */
  readonly waiting: number | null;
}

export type ArchiveState = "off" | "well" | "failing" | "late";

export function archiveState(report: ArchiveReport, nowMs: number): ArchiveState {
  const { archives, failedAt, archivedAt, waiting } = report;
  if (!archives) return "off";
  const archivedMs = archivedAt?.getTime() ?? 0;
  if (failedAt && failedAt.getTime() > archivedMs) return "failing";
  const waits = waiting !== null && waiting > 0;
  return waits && nowMs - archivedMs > LATE_MS ? "late" : "well";
}

export interface ArchiveWatchDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class ArchiveWatch implements Part {
  readonly name = "archive watch";
  readonly #deps: ArchiveWatchDeps;
  readonly #waiting: Gauge;
  readonly #age: Gauge;
  readonly #failing: Gauge;
  #state: ArchiveState = "well";
  #saidMs = Number.NEGATIVE_INFINITY;
  #cancel: Cancel = () => {};
  #looking: Promise<void> | undefined;

  constructor(deps: ArchiveWatchDeps) {
    this.#deps = deps;
    const registers = [deps.metrics];
    this.#waiting = new Gauge({
      name: "meridian_database_archive_waiting_segments",
      help: "Segments of the database's log that have ended and are not archived.",
      registers,
    });
    this.#age = new Gauge({
      name: "meridian_database_archive_age_seconds",
      help: "How long ago the database last archived a part of its log; 0 without an archive.",
      registers,
    });
    this.#failing = new Gauge({
      name: "meridian_database_archive_failed",
      help: "1 while the database's log can't be archived, or is not in time.",
      registers,
    });
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(PERIOD_MS, () => {
      this.#looking ??= this.look()
        .catch((err: unknown) => {
          // A database that is away says so elsewhere.
          this.#deps.log.debug({ err }, "can't look at the database's archive");
        })
        .finally(() => {
          this.#looking = undefined;
        });
    });
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#looking;
  }

  async look(): Promise<void> {
    const { database, clock, log } = this.#deps;
    const report = await selectReport(database);
    const state = archiveState(report, clock.nowMs());
    const archivedMs = report.archivedAt?.getTime() ?? clock.nowMs();
    const isWell = state === "well" || state === "off";
    this.#waiting.set(report.waiting ?? 0);
    this.#age.set(report.archives ? Math.max(0, clock.nowMs() - archivedMs) / 1000 : 0);
    this.#failing.set(isWell ? 0 : 1);
    const before = this.#state;
    this.#state = state;
    if (isWell) {
      if (before === "failing" || before === "late")
        log.info("the database's log is archived again");
      return;
    }
    const monotonicMs = clock.monotonicMs();
    if (state === before && monotonicMs - this.#saidMs < SAY_AGAIN_MS) return;
    this.#saidMs = monotonicMs;
    const { failedWal, archivedAt, waiting } = report;
    log.error(
      { state, failedWal, archivedAt, waiting, runbook: "core-backups" },
      "the database's log is not archived",
    );
  }
}

async function selectReport(database: Database): Promise<ArchiveReport> {
  const [row] = await database.rows<ArchiveReport>(`
    select current_setting('archive_mode') <> 'off' as archives,
      last_failed_time as "failedAt", last_failed_wal as "failedWal",
      last_archived_time as "archivedAt",
      case when not pg_is_in_recovery() and last_archived_wal ~ '^[0-9A-F]{24}' then (
        greatest(0,
          (pg_split_walfile_name(pg_walfile_name(pg_current_wal_lsn()))).segment_number - 1
          - (pg_split_walfile_name(left(last_archived_wal, 24))).segment_number)
      )::float8 end as waiting
    from pg_stat_archiver`);
  if (!row) throw new Error("the database said nothing of its archive");
  return row;
}
