/**
 * Passwords: argon2id with 19 MiB, two passes, one lane (OWASP's first choice), 14 ms each here.
 *
 * Each takes a core and 19 MiB, so at most two run at once and `WAITING_MAX` wait; past that the least
 * urgent is refused with `unavailable`. Whoever is known to the account goes before strangers, of whom
 * one is served at a time: a flood of guesses must not delay those who play here, nor take both cores
 * of a small machine from everything else that the core does.
 */
import { type Algorithm, hash, parseOptions, verify } from "@node-rs/argon2";
import type { Logger } from "pino";
import { BoundedQueue, type Urgency } from "../../shared/bounded-queue.ts";
import type { Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";

/** The package declares a const enum, which type stripping can't read: 2 is argon2id. */
const ARGON2ID = 2 as Algorithm;
const PARAMETERS = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const RUNNING_MAX = 2;
const STRANGERS_RUNNING_MAX = 1;
const WAITING_MAX = 64;
const DEADLINE_MS = 4_000;
/** Made with the parameters above from random bytes: nobody knows a password for it. */
const NOBODYS_HASH =
  "$argon2id$v=19$m=19456,t=2,p=1$nKWhPVDYNkcq0BYBS3is3A$eEQEk6PlUnCLLmiCroCEImiwIfJKYTE7HUJ9lKSgLgM";

export class Passwords {
  readonly #queue: BoundedQueue;
  /** In front of the other one. */
  readonly #strangers: BoundedQueue;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #pace = new LogPace();
  readonly #hashes: Counter<"outcome">;

  constructor({ clock, log, metrics }: { clock: Clock; log: Logger; metrics: Metrics }) {
    this.#clock = clock;
    this.#log = log;
    const limits = { waitingMax: WAITING_MAX, deadlineMs: DEADLINE_MS, clock };
    const name = "password hashing";
    const queue = new BoundedQueue({ ...limits, name, runningMax: RUNNING_MAX });
    const strangers = new BoundedQueue({ ...limits, name, runningMax: STRANGERS_RUNNING_MAX });
    this.#queue = queue;
    this.#strangers = strangers;
    this.#hashes = new Counter({
      name: "meridian_password_hashes_total",
      help: "Passwords hashed or verified: done, or why not.",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    new Gauge({
      name: "meridian_password_hashes_waiting",
      help: "Passwords that wait to be hashed or verified.",
      registers: [metrics],
      collect() {
        this.set(queue.waiting + strangers.waiting);
      },
    });
  }

  /** Whether one more of a stranger may wait. */
  get takesStrangers(): boolean {
    return this.#strangers.waiting < WAITING_MAX;
  }

  /**
   * @param urgency `urgent` for whoever has proved who they are
   * @throws {MeridianError} `unavailable` or `timeout` when too many wait
   */
  hash(password: string, urgency: Urgency): Promise<string> {
    return this.#run(() => hash(password, PARAMETERS), urgency);
  }

  /**
   * Whether it is the password of that hash. Without a hash it takes as long, and is not.
   * @throws {MeridianError} `unavailable` or `timeout` when too many wait
   */
  async verify(stored: string | undefined, password: string, urgency: Urgency): Promise<boolean> {
    const right = await this.#run(() => verify(stored ?? NOBODYS_HASH, password), urgency);
    return right && stored !== undefined;
  }

  /** Whether a hash was made with other parameters than today's. */
  outdated(stored: string): boolean {
    const { algorithm, memoryCost, timeCost, parallelism } = parseOptions(stored);
    return (
      algorithm !== PARAMETERS.algorithm ||
      memoryCost !== PARAMETERS.memoryCost ||
      timeCost !== PARAMETERS.timeCost ||
      parallelism !== PARAMETERS.parallelism
    );
  }

  async #run<T>(work: () => Promise<T>, urgency: Urgency): Promise<T> {
    try {
      const now = () => this.#queue.run(work, urgency);
      const result = await (urgency === "urgent" ? now() : this.#strangers.run(now));
      this.#hashes.inc({ outcome: "done" });
      return result;
    } catch (error) {
      const outcome = isFailure(error) ? error.kind : "internal";
      this.#hashes.inc({ outcome });
      const held = this.#pace.permit(this.#clock.monotonicMs());
      if (held !== undefined) {
        const details = { outcome, held, runbook: "core-passwords" };
        this.#log.warn(details, "a password could not be hashed");
      }
      throw error;
    }
  }
}
