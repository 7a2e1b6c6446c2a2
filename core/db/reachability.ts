/**
 * Whether the database can be reached. After `FAILURES_MAX` calls in a row that found nobody there, further ones
 * fail at once; one each `OPEN_MS` goes through, and whichever gets an answer ends it.
 *
 * Without it each call to a database that hangs would wait for 2 s, and each that had a connection for 6 s, while its
 * caller, its memory and its place under a cap wait along; and a database that comes back would be met by
 * all of them at once.
 *
 * A statement that fails, or takes its 5 s because of a lock, is an answer.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { Breaker } from "../../shared/link/breaker.ts";
import { Gauge, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";
import { isUnreachable } from "./failures.ts";

const FAILURES_MAX = 5;
/** Also the longest that callers are refused after the database is back. */
const OPEN_MS = 500;
const RETRY_AFTER_MS = 1_000;

export interface ReachabilityDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Reachability {
  readonly #breaker = new Breaker(FAILURES_MAX, OPEN_MS);
  readonly #deps: ReachabilityDeps;
  readonly #pace = new LogPace();

  constructor(deps: ReachabilityDeps) {
    this.#deps = deps;
    const breaker = this.#breaker;
    new Gauge({
      name: "meridian_db_given_up",
      help: "1 while calls fail at once, because the database did not answer several in a row.",
      registers: [deps.metrics],
      collect() {
        this.set(breaker.open ? 1 : 0);
      },
    });
  }

  /** @throws {MeridianError} `unavailable` */
  require(): void {
    if (this.#breaker.permits(this.#deps.clock.monotonicMs())) return;
    throw new MeridianError("unavailable", {
      message: "The database can't be reached.",
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  answered(): void {
    this.#breaker.succeeded();
  }

  /** What a call came to that did not end well. */
  failed(error: unknown): void {
    if (!isUnreachable(error)) {
      this.answered();
      return;
    }
    const { clock, log } = this.#deps;
    const wasOpen = this.#breaker.open;
    this.#breaker.failed(clock.monotonicMs());
    if (wasOpen || !this.#breaker.open) return;
    const held = this.#pace.permit(clock.monotonicMs());
    if (held === undefined) return;
    const about = { err: error, held, runbook: "core-database" };
    log.warn(about, "the database does not answer: calls fail at once until it does");
  }
}
