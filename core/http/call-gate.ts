/**
 * At most so many calls of one kind under way; the next is refused at once, so that they can't pile up
 * behind a slow region or a slow database, nor take all connections to it from other calls.
 *
 * A call counts until its work has ended, also when its caller has gone away by then.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "./log-pace.ts";

const RETRY_AFTER_MS = 1_000;

export interface CallGateOptions {
  /** Of the calls, in plural, as in metrics: `joins` makes `meridian_joins_under_way`. */
  readonly calls: string;
  readonly underWayMax: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class CallGate {
  readonly #options: CallGateOptions;
  readonly #refused: Counter;
  readonly #pace = new LogPace();
  #underWay = 0;

  constructor(options: CallGateOptions) {
    const { calls, metrics } = options;
    this.#options = options;
    this.#refused = new Counter({
      name: `meridian_${calls}_refused_total`,
      help: "Calls that were refused because too many of their kind were under way.",
      registers: [metrics],
    });
    const underWay = () => this.#underWay;
    new Gauge({
      name: `meridian_${calls}_under_way`,
      help: "Calls of this kind that wait for a region or the database.",
      registers: [metrics],
      collect() {
        this.set(underWay());
      },
    });
  }

  /** @throws {MeridianError} `unavailable` when too many are under way; what `work` throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#options.underWayMax) throw this.#refusal();
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
    }
  }

  #refusal(): MeridianError {
    const { calls, underWayMax, clock, log } = this.#options;
    this.#refused.inc();
    const held = this.#pace.permit(clock.monotonicMs());
    if (held !== undefined) {
      const details = { calls, underWayMax, held, runbook: "core-calls-refused" };
      log.warn(details, "too many calls of a kind are under way");
    }
    return new MeridianError("unavailable", {
      message: "Too many such calls are under way at this moment.",
      retryAfterMs: RETRY_AFTER_MS,
    });
  }
}
