/** Players who come and go all the while: each makes a guest, joins, sees the room, and leaves. */
import type { RetryBudget } from "../../shared/client/backoff.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";

export interface NewcomersOptions {
  /** The core's. */
  readonly url: string;
  readonly game: string;
  readonly perSecond: number;
  /** For how long a newcomer tries to log in; as long as the client does by default. */
  readonly logInBudget?: RetryBudget;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Those who are under way; the next waits. */
const UNDER_WAY_MAX = 20;
const STAY_MS = 1_000;
const FAILURES_KEPT = 20;

export class Newcomers {
  readonly #options: NewcomersOptions;
  readonly #underWay = new Set<Promise<void>>();
  #joined = 0;
  #failed = 0;
  readonly #failures: string[] = [];

  constructor(options: NewcomersOptions) {
    this.#options = options;
  }

  get joined(): number {
    return this.#joined;
  }

  /** Joins that the client gave up. */
  get failed(): number {
    return this.#failed;
  }

  /** Why; the first ones. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** They come until the signal; resolves when the last one has gone. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, perSecond } = this.#options;
    while (!signal.aborted) {
      if (this.#underWay.size < UNDER_WAY_MAX) this.#send(signal);
      await sleep(clock, 1_000 / perSecond, signal);
    }
    await Promise.all(this.#underWay);
  }

  #send(signal: AbortSignal): void {
    const visit = this.#visit(signal).finally(() => this.#underWay.delete(visit));
    this.#underWay.add(visit);
  }

  /** Whoever is on the way in when the signal comes is still let in. */
  async #visit(signal: AbortSignal): Promise<void> {
    const { game, perSecond: _pace, ...client } = this.#options;
    const { clock } = client;
    const beganMs = clock.monotonicMs();
    try {
      const play = await new Meridian(client).join(game);
      this.#joined += 1;
      await sleep(clock, STAY_MS, signal);
      await play.leave();
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#failed += 1;
      if (this.#failures.length < FAILURES_KEPT) {
        const tookMs = Math.round(clock.monotonicMs() - beganMs);
        const at = new Date(clock.nowMs()).toISOString();
        this.#failures.push(`a join failed at ${at}, after ${tookMs} ms: ${error.kind}`);
      }
    }
  }
}
