/** How long the steps take during which players of a room that moves are away. */
import type { Clock } from "../../shared/clock.ts";
import { Histogram, type Metrics } from "../../shared/metrics.ts";

const STEPS_S = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8];

export interface StepTimesOptions {
  readonly name: string;
  readonly help: string;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly metrics: Metrics;
}

export class StepTimes<Step extends string> {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #seconds: Histogram<"step">;

  constructor({ name, help, clock, metrics }: StepTimesOptions) {
    this.#clock = clock;
    this.#seconds = new Histogram({
      name,
      help,
      labelNames: ["step"],
      buckets: STEPS_S,
      registers: [metrics],
    });
  }

  /** The same promise; a step that fails is not counted. */
  async of<T>(step: Step, work: Promise<T>): Promise<T> {
    const beganMs = this.#clock.monotonicMs();
    const result = await work;
    this.#seconds.observe({ step }, (this.#clock.monotonicMs() - beganMs) / 1_000);
    return result;
  }
}
