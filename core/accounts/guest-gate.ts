/** The guest limit with its clock, its metric and its log line. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";
import { type GuestLimit, prefixOf } from "./guest-limit.ts";

export class GuestGate {
  readonly #limit: GuestLimit;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #pace = new LogPace();
  readonly #refused: Counter;

  constructor(limit: GuestLimit, deps: { clock: Clock; log: Logger; metrics: Metrics }) {
    this.#limit = limit;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#refused = new Counter({
      name: "meridian_guests_limited_total",
      help: "Guest log-ins refused because their address prefix or everybody made too many.",
      registers: [deps.metrics],
    });
  }

  /** @throws {MeridianError} `too_many_requests`, with when to come back */
  take(address: string): void {
    const nowMs = this.#clock.monotonicMs();
    try {
      this.#limit.take(address, nowMs);
    } catch (error) {
      if (isFailure(error)) this.#noteRefusal(address, nowMs);
      throw error;
    }
  }

  #noteRefusal(address: string, nowMs: number): void {
    this.#refused.inc();
    const held = this.#pace.permit(nowMs);
    if (held === undefined) return;
    const details = { prefix: prefixOf(address), held, runbook: "core-guest-limit" };
    this.#log.warn(details, "guest log-ins are being limited");
  }
}
