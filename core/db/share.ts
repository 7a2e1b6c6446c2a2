/**
 * A part of the database's connections, for work that must not take all of them: a storm of log-ins leaves
 * the others to those who play.
 *
 * At most `connectionsMax` are in use through it; `WAITING_MAX` callers wait here, each `WAIT_MS` at most, in the
 * order of coming, before they wait for a connection with everybody else. Past that they get `unavailable`.
 */
import type pg from "pg";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Connections, Tx } from "./database.ts";

const WAITING_MAX = 256;
/** As long as a caller waits for a connection itself. */
const WAIT_MS = 2_000;
const RETRY_AFTER_MS = 1_000;

export interface ConnectionShareOptions {
  /** Whose share, in plural, for the metrics. */
  readonly of: string;
  readonly connections: Connections;
  readonly connectionsMax: number;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

interface Waiting {
  readonly begin: () => void;
  readonly cancel: Cancel;
}

export class ConnectionShare implements Connections {
  readonly #options: ConnectionShareOptions;
  readonly #refused: Counter;
  readonly #waiting = new Set<Waiting>();
  #used = 0;

  constructor(options: ConnectionShareOptions) {
    const { of, metrics } = options;
    this.#options = options;
    this.#refused = new Counter({
      name: `meridian_db_${of}_refused_total`,
      help: "Calls that were refused because too many of their kind waited for a connection.",
      registers: [metrics],
    });
    const waiting = this.#waiting;
    new Gauge({
      name: `meridian_db_${of}_waiting`,
      help: "Calls that wait for a connection of their kind's share.",
      registers: [metrics],
      collect() {
        this.set(waiting.size);
      },
    });
  }

  rows<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.#run(() => this.#options.connections.rows<Row>(text, values));
  }

  run(text: string, values?: readonly unknown[]): Promise<number> {
    return this.#run(() => this.#options.connections.run(text, values));
  }

  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#run(() => this.#options.connections.transaction(work));
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    const { connectionsMax, clock } = this.#options;
    if (this.#used < connectionsMax) {
      this.#used += 1;
      return;
    }
    if (this.#waiting.size >= WAITING_MAX) throw this.#refusal();
    await new Promise<void>((resolve, reject) => {
      const cancel = clock.after(WAIT_MS, () => {
        this.#waiting.delete(waiting);
        reject(this.#refusal());
      });
      const waiting: Waiting = { begin: resolve, cancel };
      this.#waiting.add(waiting);
    });
  }

  /** Its place goes to whoever waits longest. */
  #leave(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#used -= 1;
      return;
    }
    this.#waiting.delete(next);
    next.cancel();
    next.begin();
  }

  #refusal(): MeridianError {
    this.#refused.inc();
    return new MeridianError("unavailable", {
      message: "Too many such calls wait for the database.",
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
}
