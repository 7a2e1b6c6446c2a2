/**
 * Work of which only so much may run at once: hashing, batches, calls to others. The one file that
 * knows `bottleneck`, and only its in-process mode: its cluster mode breaks on Redis 7.
 *
 * At most `waitingMax` pieces of work wait. One more is refused with `unavailable`, unless it is more
 * urgent than one that waits: that one is refused then. Whoever waited longer than the deadline gets
 * `timeout`, and work that nobody waits for any more does not begin.
 */
import Bottleneck from "bottleneck";
import type { Clock } from "./clock.ts";
import { MeridianError } from "./errors.ts";

/** Lower goes first. */
const PRIORITY = { urgent: 2, usual: 5 } as const;
export type Urgency = keyof typeof PRIORITY;

export interface BoundedQueueOptions {
  /** For messages, for example "password hashing". */
  readonly name: string;
  readonly runningMax: number;
  readonly waitingMax: number;
  /** From the call to its result, ms. */
  readonly deadlineMs: number;
  readonly clock: Clock;
}

export class BoundedQueue {
  readonly #options: BoundedQueueOptions;
  readonly #limiter: Bottleneck;

  constructor(options: BoundedQueueOptions) {
    this.#options = options;
    this.#limiter = new Bottleneck({
      maxConcurrent: options.runningMax,
      highWater: options.waitingMax,
      strategy: Bottleneck.strategy.OVERFLOW_PRIORITY,
    });
  }

  get waiting(): number {
    return this.#limiter.counts().QUEUED ?? 0;
  }

  /** @throws {MeridianError} `unavailable`, `timeout`; what `work` throws */
  run<T>(work: () => Promise<T>, urgency: Urgency = "usual"): Promise<T> {
    const { clock, deadlineMs, name, waitingMax } = this.#options;
    // The limiter takes 0.1 ms of a core to refuse one; it is asked only where it may push another out.
    if (urgency === "usual" && this.waiting >= waitingMax) return Promise.reject(this.#full());
    return new Promise((resolve, reject) => {
      let late = false;
      const cancel = clock.after(deadlineMs, () => {
        late = true;
        const message = `${name} took too long`;
        reject(new MeridianError("timeout", { message, retryAfterMs: deadlineMs }));
      });
      const begin = async () => (late ? undefined : { result: await work() });
      this.#limiter.schedule({ priority: PRIORITY[urgency] }, begin).then(
        (done) => {
          cancel();
          if (done) resolve(done.result);
        },
        (error: unknown) => {
          cancel();
          reject(this.#failureOf(error));
        },
      );
    });
  }

  #failureOf(error: unknown): unknown {
    return error instanceof Bottleneck.BottleneckError ? this.#full(error) : error;
  }

  #full(cause?: unknown): MeridianError {
    return new MeridianError("unavailable", {
      message: `Too much waits for ${this.#options.name}.`,
      cause,
      retryAfterMs: this.#options.deadlineMs,
    });
  }
}
