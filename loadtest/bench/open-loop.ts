/**
 * Calls at a rate that does not depend on how they are answered, as people and attackers make them: a
 * server that slows down gets no fewer. Latency is counted from when a call was due, so that a wait for
 * its turn counts too.
 */
import { type Clock, sleep } from "../../shared/clock.ts";

const TURN_MS = 5;

export interface OpenLoopOptions {
  readonly perSecond: number;
  /** Past so many unanswered ones a call that is due is skipped, and counted as that. */
  readonly underWayMax: number;
  /** Makes one call; answers what came of it, such as a status. */
  readonly call: () => Promise<string>;
  readonly clock: Clock;
}

export class OpenLoop {
  readonly latenciesMs: number[] = [];
  /** By what came of them. */
  readonly outcomes = new Map<string, number>();
  skipped = 0;
  #underWay = 0;
  readonly #options: OpenLoopOptions;

  constructor(options: OpenLoopOptions) {
    this.#options = options;
  }

  /** Calls for so long, then waits for the last answers. */
  async run(durationMs: number): Promise<void> {
    const { perSecond, underWayMax, clock } = this.#options;
    const beganMs = clock.monotonicMs();
    const calls = Math.round((durationMs * perSecond) / 1_000);
    for (let due = 0; due < calls; ) {
      const elapsedMs = clock.monotonicMs() - beganMs;
      for (; due < calls && (due * 1_000) / perSecond <= elapsedMs; due += 1) {
        if (this.#underWay < underWayMax) void this.#make(beganMs + (due * 1_000) / perSecond);
        else this.skipped += 1;
      }
      await sleep(clock, TURN_MS);
    }
    while (this.#underWay > 0) await sleep(clock, TURN_MS);
  }

  async #make(dueMs: number): Promise<void> {
    const { call, clock } = this.#options;
    this.#underWay += 1;
    // A call that fails is one of the outcomes.
    const outcome = await call().catch((error: unknown) => String(error));
    this.#underWay -= 1;
    this.latenciesMs.push(clock.monotonicMs() - dueMs);
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }
}
