/** The attempt limits with their clock, their metric and their log line. */
import type { Logger } from "pino";
import type { Urgency } from "../../shared/bounded-queue.ts";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";
import type { AttemptLimits, AttemptOutcome } from "./attempt-step.ts";
import { type Attempt, Attempts } from "./attempts.ts";

export class AttemptGate {
  readonly #attempts: Attempts;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #pace = new LogPace();
  readonly #counts: Counter<"as" | "outcome">;

  constructor(limits: AttemptLimits, deps: { clock: Clock; log: Logger; metrics: Metrics }) {
    this.#attempts = new Attempts(limits);
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#counts = new Counter({
      name: "meridian_password_attempts_total",
      help: "Attempts to prove who one is, by whose limit applied and what became of them.",
      labelNames: ["as", "outcome"],
      registers: [deps.metrics],
    });
  }

  /** Whether an attempt would be refused if its device and network are unknown; takes nothing. */
  refusesStranger(attempt: Pick<Attempt, "account" | "prefix">): boolean {
    const stranger = { ...attempt, device: undefined, prefixKnown: false };
    return this.#attempts.peek(stranger, this.#clock.monotonicMs()).as === "refused";
  }

  /**
   * Lets `check` run if the attempt is within its limits.
   * @param check gives what it proved, or undefined when the attempt failed
   * @throws {MeridianError} `too_many_requests`, with when to come back; what `check` throws
   */
  run<T>(
    attempt: Attempt,
    check: (urgency: Urgency) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    return this.#run(attempt, check, "succeeded");
  }

  /** As `run`, for an attempt whose success allows nobody any further failures. */
  runUnearned<T>(
    attempt: Attempt,
    check: (urgency: Urgency) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    return this.#run(attempt, check, "not_tried");
  }

  async #run<T>(
    attempt: Attempt,
    check: (urgency: Urgency) => Promise<T | undefined>,
    success: AttemptOutcome,
  ): Promise<T | undefined> {
    const nowMs = () => this.#clock.monotonicMs();
    const admission = this.#attempts.begin(attempt, nowMs());
    if (admission.as === "refused") {
      this.#noteRefusal(admission.by, attempt.prefix);
      throw new MeridianError("too_many_requests", {
        message: "Too many attempts failed. Wait, or reset the password.",
        retryAfterMs: admission.retryAfterMs,
      });
    }
    const { as } = admission;
    const end = (outcome: AttemptOutcome) => {
      this.#attempts.end(attempt, as, outcome, nowMs());
      this.#counts.inc({ as, outcome });
    };
    try {
      const proved = await check(as === "stranger" ? "usual" : "urgent");
      end(proved === undefined ? "failed" : success);
      return proved;
    } catch (error) {
      end("not_tried");
      throw error;
    }
  }

  #noteRefusal(by: string, prefix: string): void {
    this.#counts.inc({ as: "refused", outcome: by });
    const held = this.#pace.permit(this.#clock.monotonicMs());
    if (held === undefined) return;
    const details = { by, prefix, held, runbook: "core-log-in-attempts" };
    this.#log.warn(details, "log-in attempts are being limited");
  }
}
