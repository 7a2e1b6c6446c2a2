/**
 * How mails leave: a hook, because every studio has its own way to send them. Mails to players are
 * handed to it in the background: whoever waits for an answer must not learn from its timing whether
 * there was a mail to send.
 *
 * At most `WAITING_MAX` mails wait. One more, one that the hook did not take within its attempts, and
 * those that still wait at a stop are lost, counted and logged; the player asks again.
 */
import type { Logger } from "pino";
import { BoundedQueue } from "../../shared/bounded-queue.ts";
import type { Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";

export interface Mail {
  readonly kind: "password_reset";
  readonly to: string;
  /** As shown in the game. */
  readonly name: string;
  /** The page that asks for a new password, with the token in its fragment. */
  readonly link: string;
  readonly token: string;
  /** ISO 8601. */
  readonly expiresAt: string;
}

export interface MailHook {
  /** Takes the mail over. @throws {MeridianError} when it did not, in the end */
  send(mail: Mail, signal: AbortSignal): Promise<void>;
}

const RUNNING_MAX = 4;
const WAITING_MAX = 256;
const DEADLINE_MS = 60_000;

export interface MailsDeps {
  /** None: mails can't be sent. */
  readonly hook: MailHook | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Mails implements Part {
  readonly name = "mails";
  readonly #deps: MailsDeps;
  readonly #queue: BoundedQueue;
  readonly #stopped = new AbortController();
  readonly #pace = new LogPace();
  readonly #mails: Counter<"kind" | "outcome">;
  readonly #underWay = new Set<Promise<void>>();

  constructor(deps: MailsDeps) {
    this.#deps = deps;
    this.#queue = new BoundedQueue({
      name: "mails",
      runningMax: RUNNING_MAX,
      waitingMax: WAITING_MAX,
      deadlineMs: DEADLINE_MS,
      clock: deps.clock,
    });
    this.#mails = new Counter({
      name: "meridian_mails_total",
      help: "Mails given to the hook: taken, no_hook, or the kind of the failure.",
      labelNames: ["kind", "outcome"],
      registers: [deps.metrics],
    });
  }

  /**
   * Makes the mail and sends it, in the background; failures are counted and logged here.
   * @param make gives none when there is nothing to send
   */
  post(kind: Mail["kind"], make: () => Promise<Mail | undefined>): void {
    const sending = this.#send(kind, make).finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#underWay);
  }

  async #send(kind: Mail["kind"], make: () => Promise<Mail | undefined>): Promise<void> {
    const outcome = await this.#queue.run(() => this.#give(make)).catch(this.#failed);
    if (outcome === "nothing") return;
    this.#mails.inc({ kind, outcome });
    if (outcome === "no_hook") this.#log("no mail hook is configured", undefined);
  }

  async #give(make: () => Promise<Mail | undefined>): Promise<"taken" | "no_hook" | "nothing"> {
    this.#stopped.signal.throwIfAborted();
    const mail = await make();
    if (!mail) return "nothing";
    const { hook } = this.#deps;
    if (!hook) return "no_hook";
    await hook.send(mail, this.#stopped.signal);
    return "taken";
  }

  readonly #failed = (err: unknown): string => {
    this.#log("a mail was not taken by its hook", err);
    return isFailure(err) ? err.kind : "internal";
  };

  #log(what: string, err: unknown): void {
    const held = this.#pace.permit(this.#deps.clock.monotonicMs());
    if (held !== undefined) this.#deps.log.warn({ err, held, runbook: "core-mails" }, what);
  }
}
