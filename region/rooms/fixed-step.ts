/**
 * Runs a step at a fixed rate of simulated time. Measured time only decides how many steps are due;
 * after a hitch a few are made up for and the rest is dropped, so a slow step can't pile up work.
 */
import type { Cancel, Clock } from "../../shared/clock.ts";

const CATCH_UP_MAX = 5;

export class FixedStep {
  readonly #clock: Clock;
  readonly #stepMs: number;
  readonly #run: () => void;
  #owedMs = 0;
  #lastMs = 0;
  #cancel: Cancel | undefined;

  constructor(clock: Clock, stepMs: number, run: () => void) {
    this.#clock = clock;
    this.#stepMs = stepMs;
    this.#run = run;
  }

  start(): void {
    this.#lastMs = this.#clock.monotonicMs();
    this.#cancel ??= this.#clock.every(this.#stepMs, () => this.#wake());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wake(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#owedMs += nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    const steps = Math.min(CATCH_UP_MAX, Math.floor(this.#owedMs / this.#stepMs));
    this.#owedMs = steps === CATCH_UP_MAX ? 0 : this.#owedMs - steps * this.#stepMs;
    for (let step = 0; step < steps; step++) this.#run();
  }
}
