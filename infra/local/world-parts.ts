/** The parts of one world that are started, and how they are stopped: in the reverse order. */
import { systemClock } from "../../shared/clock.ts";
import { type Report, reported } from "./status.ts";
import type { Supervisor } from "./supervisor.ts";

export interface StartedTogether {
  readonly supervisor: Supervisor;
  /** What to add to the part's status line once it runs. */
  readonly detail: () => string;
}

/** Past this, what still runs is killed; a Ctrl-C has 5 s for everything. */
const STOP_DEADLINE_MS = 3_500;

export class WorldParts {
  readonly report: Report;
  readonly restartDelayMs: number;
  readonly #stops: (() => unknown)[] = [];
  readonly #stoppingListeners: (() => void)[] = [];
  readonly #kills: (() => void)[] = [];
  readonly #supervisors: Supervisor[] = [];
  #stopping: Promise<void> | undefined;

  constructor(report: Report, restartDelayMs: number) {
    this.report = report;
    this.restartDelayMs = restartDelayMs;
  }

  get stopping(): boolean {
    return this.#stopping !== undefined;
  }

  /** Starts parts side by side, with a status line each. @throws when one does not start */
  async start(...together: readonly StartedTogether[]): Promise<void> {
    this.check();
    const supervisors = together.map(({ supervisor }) => supervisor);
    this.#supervisors.push(...supervisors);
    // Noted before the start, so that a stop meanwhile finds the parts that are half-way.
    this.onStop(() => Promise.all(supervisors.map((supervisor) => supervisor.stop())));
    await Promise.all(
      together.map(({ supervisor, detail }) =>
        reported(this.report, supervisor.name, () => supervisor.start(), detail),
      ),
    );
  }

  /** Notes what to do, and wait for, at the stop, before all that was noted earlier. */
  onStop(stop: () => unknown): void {
    this.#stops.push(stop);
  }

  /** Calls back when the stop begins, before anything is stopped. */
  onStopping(tell: () => void): void {
    this.#stoppingListeners.push(tell);
  }

  /** Notes how processes that no supervisor has are ended without grace. */
  onKill(kill: () => void): void {
    this.#kills.push(kill);
  }

  /** @throws when the world is stopping: for the steps of a start */
  check(): void {
    if (this.stopping) throw new Error("the start was called off");
  }

  /** Stops all parts, last first. */
  stop(): Promise<void> {
    if (!this.#stopping) {
      for (const tell of this.#stoppingListeners) tell();
      this.#stopping = this.#stopAll();
    }
    return this.#stopping;
  }

  /** Ends every process at once, without grace. */
  killAll(): void {
    for (const kill of this.#kills) kill();
    for (const supervisor of this.#supervisors) {
      if (supervisor.pid !== undefined) supervisor.kill("SIGKILL");
    }
  }

  async #stopAll(): Promise<void> {
    const cancel = systemClock.after(STOP_DEADLINE_MS, () => this.killAll());
    const problems: unknown[] = [];
    for (const stop of this.#stops.reverse()) {
      try {
        await stop();
      } catch (error) {
        // The rest must be stopped all the same.
        problems.push(error);
      }
    }
    cancel();
    if (problems.length > 0) throw new AggregateError(problems, `could not stop: ${problems}`);
  }
}
