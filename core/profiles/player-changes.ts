/**
 * Watches which players were made, renamed or deleted, by this core process or any other: reads the table of
 * changes four times a second, and tells those who keep something of players.
 *
 * While the database is away nothing is told, and `ageMs` grows: what hangs on it says so.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Database } from "../db/database.ts";
import { LogPace } from "../http/log-pace.ts";
import { type ChangesState, changesStep, type PlayerChange } from "./changes-step.ts";
import { selectChanges } from "./profile-store.ts";

const PERIOD_MS = 250;
/**
 * Changes of one read, those of transactions that were open at the read before among them. The core's own
 * end within five seconds, so this is for 2,000 changes a second. Past it everything begins anew.
 */
const ROWS_MAX = 10_000;
const AGE_MAX_MS = 86_400_000;
/** Rows are kept for an hour: who has not read for half of it begins anew. */
const REACH_MS = 1_800_000;

export interface ChangeListener {
  changed(changes: readonly PlayerChange[]): void;
  /** Some may have been missed. Also the first word there is. */
  missed(): void;
}

export interface PlayerChangesDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class PlayerChanges implements Part {
  readonly name = "changes of players";
  readonly #deps: PlayerChangesDeps;
  readonly #reads: Counter<"outcome">;
  readonly #pace = new LogPace();
  readonly #listeners: ChangeListener[] = [];
  #state: ChangesState | undefined;
  /** When the newest read that succeeded began, monotonic. */
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  /** The read that follows the one under way, for those who wait for it. */
  #next = newPromised();
  #cancel: Cancel | undefined;

  constructor(deps: PlayerChangesDeps) {
    this.#deps = deps;
    this.#reads = new Counter({
      name: "meridian_player_changes_reads_total",
      help: "Reads of the table of players' changes: read, missed (began anew), failed.",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
    const ageMs = () => this.ageMs;
    new Gauge({
      name: "meridian_player_changes_age_seconds",
      help: "Since the table of players' changes was last read.",
      registers: [deps.metrics],
      collect() {
        this.set(ageMs() / 1_000);
      },
    });
  }

  /** Told in the order in which they were added. */
  listen(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  async start(): Promise<void> {
    this.#cancel = this.#deps.clock.every(PERIOD_MS, () => {
      this.#reading ??= this.#read();
    });
    await this.read();
  }

  async stop(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    await this.#reading;
    this.#next.resolve(false);
  }

  /** Since the newest read that succeeded began, ms; a day at most. */
  get ageMs(): number {
    return Math.min(AGE_MAX_MS, this.#deps.clock.monotonicMs() - this.#readAtMs);
  }

  /**
   * Resolves after a read that began after this call: whatever was committed before it has been told then.
   * It waits for the next read that is due anyway, so it costs none.
   * @returns false when that read failed, or there will be none
   */
  next(): Promise<boolean> {
    return this.#cancel ? this.#next.promise : Promise.resolve(false);
  }

  /** Reads now, after one that is under way. Never rejects. */
  async read(): Promise<void> {
    while (this.#reading) await this.#reading;
    this.#reading = this.#read();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const { database, clock } = this.#deps;
    const { resolve } = this.#next;
    this.#next = newPromised();
    const beganAtMs = clock.monotonicMs();
    try {
      const read = await selectChanges(database, this.#state?.horizon, ROWS_MAX);
      const former = this.ageMs < REACH_MS ? this.#state : undefined;
      const [state, effect] = changesStep(former, read);
      this.#state = state;
      this.#readAtMs = beganAtMs;
      this.#reads.inc({ outcome: effect.type === "missed" ? "missed" : "read" });
      if (effect.type === "missed") for (const listener of this.#listeners) listener.missed();
      else if (effect.changes.length > 0) this.#tell(effect.changes);
      resolve(true);
    } catch (err) {
      this.#failed(err);
      resolve(false);
    } finally {
      this.#reading = undefined;
    }
  }

  #tell(changes: readonly PlayerChange[]): void {
    for (const listener of this.#listeners) listener.changed(changes);
  }

  #failed(err: unknown): void {
    this.#reads.inc({ outcome: "failed" });
    const held = this.#pace.permit(this.#deps.clock.monotonicMs());
    if (held === undefined) return;
    this.#deps.log.warn(
      { err, held, runbook: "core-profiles" },
      "can't read which players have changed",
    );
  }
}

interface Promised {
  readonly promise: Promise<boolean>;
  readonly resolve: (value: boolean) => void;
}

function newPromised(): Promised {
  let resolve = (_value: boolean) => {};
  const promise = new Promise<boolean>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
