/**
 * The limits on making guests and on their later log-ins, with their clock, metric and log line. The
 * two are apart, so that a flood of new guests does not lock out those who come back.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";
import { prefixOf } from "./address-prefix.ts";
import type { GuestLimit } from "./guest-limit.ts";

export interface GuestLimits {
  readonly made: GuestLimit;
  readonly loggedIn: GuestLimit;
}

export class GuestGate {
  readonly #limits: GuestLimits;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #pace = new LogPace();
  readonly #refused: Counter<"what">;

  constructor(limits: GuestLimits, deps: { clock: Clock; log: Logger; metrics: Metrics }) {
    this.#limits = limits;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#refused = new Counter({
      name: "meridian_guests_limited_total",
      help: "Guests not made or not logged in: their address prefix or everybody did it too often.",
      labelNames: ["what"],
      registers: [deps.metrics],
    });
  }

  /** For making a guest. @throws {MeridianError} `too_many_requests`, with when to come back */
  take(address: string): void {
    this.#take("made", address);
  }

  /** For the log-in of a known guest. @throws {MeridianError} `too_many_requests`, as above */
  takeLogIn(address: string): void {
    this.#take("loggedIn", address);
  }

  #take(what: keyof GuestLimits, address: string): void {
    const nowMs = this.#clock.monotonicMs();
    try {
      this.#limits[what].take(address, nowMs);
    } catch (error) {
      if (isFailure(error)) this.#noteRefusal(what, address, nowMs);
      throw error;
    }
  }

  #noteRefusal(what: keyof GuestLimits, address: string, nowMs: number): void {
    this.#refused.inc({ what: what === "made" ? "made" : "logged_in" });
    const held = this.#pace.permit(nowMs);
    if (held === undefined) return;
    const details = { what, prefix: prefixOf(address), held, runbook: "core-guest-limit" };
    this.#log.warn(details, "guest log-ins are being limited");
  }
}
