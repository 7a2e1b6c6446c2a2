/**
 * The end of a phase, when whoever still waits gives up. An `AbortSignal` looks at each of its listeners to add one:
 * with ten thousand who wait that was half of what the generator did.
 */
import { type Clock, systemClock } from "../../../shared/clock.ts";

export class Ending {
  readonly #clock: Clock;
  readonly #sleepers = new Set<() => void>();
  #over = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Resolves after so long, or when it is over. */
  sleep(delayMs: number): Promise<void> {
    if (this.#over) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        this.#sleepers.delete(wake);
        resolve();
      };
      const cancel = this.#clock.after(delayMs, wake);
      this.#sleepers.add(wake);
    });
  }

  end(): void {
    this.#over = true;
    for (const wake of [...this.#sleepers]) wake();
  }
}
