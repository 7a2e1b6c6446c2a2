/**
 * The mail hook for production: posts each mail as JSON to a URL of the studio's.
 *
 * Each attempt has a deadline; after a failure that may pass (no answer, 429, 5xx) it is tried again, at
 * most `ATTEMPTS_MAX` times. All attempts of one mail carry the same `idempotency-key`, so that
 * the receiver can drop one that it took although its answer was lost. Redirects are not followed: the
 * body holds a secret.
 *
 * A hook that failed several times in a row is asked no more than once each `OPEN_MS`; the other mails wait for it
 * without using up their attempts, `PATIENCE_MS` at most. So one that restarts gets them all, and one that hangs is
 * not held down by those who ask.
 */
import { randomUUID } from "node:crypto";
import { type Clock, sleep } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { Breaker } from "../../shared/link/breaker.ts";
import type { Outbound } from "../http/outbound.ts";
import { postHook } from "../http/post-hook.ts";
import type { Mail, MailHook } from "./mail-hook.ts";

const ATTEMPTS_MAX = 4;
const ATTEMPT_DEADLINE_MS = 5_000;
const RETRY_FIRST_MS = 500;
const FAILURES_MAX = 5;
const OPEN_MS = 2_000;
const PATIENCE_MS = 30_000;

export interface WebhookMailOptions {
  readonly url: string;
  /** Sent as `Authorization: Bearer`, so that the receiver knows who asks. */
  readonly token: string | undefined;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly outbound: Outbound;
}

export class WebhookMail implements MailHook {
  readonly #options: WebhookMailOptions;
  readonly #breaker: Breaker;

  constructor(options: WebhookMailOptions) {
    this.#options = options;
    this.#breaker = options.outbound.breaker("mail hook", FAILURES_MAX, OPEN_MS);
  }

  async send(mail: Mail, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const key = randomUUID();
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    for (let attempt = 1; ; attempt += 1) {
      await this.#turn(untilMs, signal);
      const failure = await this.#post(mail, key, signal);
      if (failure?.retryable) this.#breaker.failed(clock.monotonicMs());
      else this.#breaker.succeeded();
      if (!failure) return;
      if (!failure.retryable || attempt === ATTEMPTS_MAX || signal.aborted) throw failure;
      // Full jitter above half: mails that failed together must not come back together.
      const waitMs = RETRY_FIRST_MS * 2 ** (attempt - 1) * (0.5 + random() / 2);
      await sleep(clock, waitMs, signal);
    }
  }

  /** Waits until the hook may be asked. @throws {MeridianError} `unavailable` */
  async #turn(untilMs: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    while (!this.#breaker.permits(clock.monotonicMs())) {
      if (signal.aborted || clock.monotonicMs() >= untilMs) {
        throw new MeridianError("unavailable", { message: "the mail hook does not answer" });
      }
      await sleep(clock, OPEN_MS * (0.5 + random() / 2), signal);
    }
  }

  #post(mail: Mail, key: string, signal: AbortSignal): Promise<MeridianError | undefined> {
    const { url, token } = this.#options;
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const body = JSON.stringify(mail);
    const deadlineMs = ATTEMPT_DEADLINE_MS;
    return postHook({ what: "the mail hook", url, headers, key, body, deadlineMs, signal });
  }
}
