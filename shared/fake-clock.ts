/** A clock that moves only when told to: for tests and the simulator. */
import type { Cancel, Clock } from "./clock.ts";

interface Task {
  dueMs: number;
  readonly order: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
}

export class FakeClock implements Clock {
  #elapsedMs = 0;
  #order = 0;
  readonly #startMs: number;
  readonly #tasks = new Set<Task>();

  /** @param startMs wall time at the beginning, milliseconds since 1970 */
  constructor(startMs = 1_700_000_000_000) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, task: () => void): Cancel {
    return this.#add(delayMs, undefined, task);
  }

  every(periodMs: number, task: () => void): Cancel {
    return this.#add(periodMs, periodMs, task);
  }

  /** Timers that still wait. */
  get pending(): number {
    return this.#tasks.size;
  }

  /** Moves time on by `ms`, running everything that falls due, in order of time, then of scheduling. */
  advance(ms: number): void {
    const untilMs = this.#elapsedMs + ms;
    for (let task = this.#nextDue(untilMs); task; task = this.#nextDue(untilMs)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, task.dueMs);
      if (task.periodMs === undefined) this.#tasks.delete(task);
      else task.dueMs += task.periodMs;
      task.run();
    }
    this.#elapsedMs = untilMs;
  }

  #nextDue(untilMs: number): Task | undefined {
    let next: Task | undefined;
    for (const task of this.#tasks) {
      if (task.dueMs > untilMs) continue;
      if (
        !next ||
        task.dueMs < next.dueMs ||
        (task.dueMs === next.dueMs && task.order < next.order)
      ) {
        next = task;
      }
    }
    return next;
  }

  #add(delayMs: number, periodMs: number | undefined, run: () => void): Cancel {
    const task = { dueMs: this.#elapsedMs + delayMs, order: this.#order++, periodMs, run };
    this.#tasks.add(task);
    return () => this.#tasks.delete(task);
  }
}
