/** What was learned of how long players play and how long they wait, in all regions together. */
import { Hazard } from "./hazard.ts";

const LEARN_MS = 5_000;

export class Habits {
  readonly sessions = new Hazard();
  readonly patience = new Hazard();
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  learn(nowMs: number): void {
    const passedMs = nowMs - this.#atMs;
    if (passedMs < LEARN_MS) return;
    this.sessions.learn(passedMs);
    this.patience.learn(passedMs);
    this.#atMs = nowMs;
  }
}
