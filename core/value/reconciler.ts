/**
 * Looks, every `RECONCILE_PERIOD_MS` and when an operator asks, whether ledger, wallets, items and operations
 * say the same (`reconcile-run.ts` has what and how much), and raises the alarm when they don't. It mends
 * nothing: which side is right is for a person to find out.
 *
 * Everything is read of one moment, so traffic makes no difference. One run at a time, in all cores.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Connections } from "../db/database.ts";
import { primaryReads, type StaleReads } from "../db/stale-reads.ts";
import { DIFFERENCE_KINDS, type ReconcileStatus } from "./differences.ts";
import { differencesIn, type Found, look, NOTHING_FOUND } from "./reconcile-run.ts";
import { savePosition, tryLock } from "./reconcile-store.ts";

/** In one log line. */
const LOGGED_MAX = 5;
/** In an operator's answer. */
const LISTED_MAX = 200;

export interface ReconcilerDeps {
  readonly database: Connections;
  /** For the rounds; a look that an operator asks for is of the database. */
  readonly staleReads: StaleReads;
  /** 0: only when an operator asks. */
  readonly periodMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Reconciler implements Part {
  readonly name = "reconciler";
  readonly #deps: ReconcilerDeps;
  readonly #outcomes: Counter<"outcome">;
  #cancel: Cancel = () => {};
  #running: Promise<void> | undefined;
  #found: Found = NOTHING_FOUND;
  #runs = 0;
  #failure: string | undefined;

  constructor(deps: ReconcilerDeps) {
    this.#deps = deps;
    this.#outcomes = new Counter({
      name: "meridian_reconciliations_total",
      help: "Looks at ledger, wallets and items: agreed, differed, skipped, or failed.",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
    const counts = () => this.#counts();
    new Gauge({
      name: "meridian_value_differences",
      help: "Wallets, operations, items and sums of the ledger that are not what they should be.",
      labelNames: ["kind"],
      registers: [deps.metrics],
      collect() {
        for (const [kind, count] of counts()) this.set({ kind }, count);
      },
    });
  }

  start(): void {
    const { clock, periodMs } = this.#deps;
    if (periodMs === 0) return;
    // A failure is counted and logged inside; the next round tries again.
    this.#cancel = clock.every(periodMs, () => void this.run());
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#running;
  }

  get status(): ReconcileStatus {
    const all = differencesIn(this.#found);
    return {
      running: this.#running !== undefined,
      runs: this.#runs,
      failure: this.#failure ?? null,
      total: all.length,
      differences: all.slice(0, LISTED_MAX),
    };
  }

  /** A round, or everything after the one that is under way. Never rejects. */
  async run({ whole = false } = {}): Promise<void> {
    while (this.#running) {
      await this.#running;
      if (!whole) return;
    }
    this.#running = this.#look(whole).finally(() => {
      this.#running = undefined;
      this.#runs += 1;
    });
    await this.#running;
  }

  async #look(whole: boolean): Promise<void> {
    const { database, staleReads, clock, log } = this.#deps;
    try {
      // A person who asks for everything is told of the primary.
      const from = whole ? primaryReads(database) : staleReads;
      const seen = await from.oneMoment(async (reads, behindMs) => {
        if (!(await tryLock(reads))) return undefined;
        // What was booked lately may not be there yet, whatever its time says.
        const nowMs = clock.nowMs() - Math.max(0, behindMs);
        return await look(reads, { whole, nowMs, before: this.#found });
      });
      if (!seen) {
        this.#failure = "another core does it at this moment";
        this.#outcomes.inc({ outcome: "skipped" });
        return;
      }
      this.#found = seen.found;
      this.#failure = undefined;
      await savePosition(database, seen.position);
      this.#tell();
    } catch (err) {
      this.#failure = err instanceof Error ? err.message : String(err);
      this.#outcomes.inc({ outcome: "failed" });
      log.warn({ err, runbook: "core-value-differences" }, "the ledger could not be reconciled");
    }
  }

  #tell(): void {
    const differences = differencesIn(this.#found);
    this.#outcomes.inc({ outcome: differences.length === 0 ? "agreed" : "differed" });
    if (differences.length === 0) return;
    const counts = Object.fromEntries(this.#counts());
    const first = differences.slice(0, LOGGED_MAX);
    this.#deps.log.error(
      { counts, first, runbook: "core-value-differences" },
      "money or items are not what operations say",
    );
  }

  #counts(): Map<string, number> {
    const counts = new Map<string, number>(DIFFERENCE_KINDS.map((kind) => [kind, 0]));
    for (const { kind } of differencesIn(this.#found))
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return counts;
  }
}
