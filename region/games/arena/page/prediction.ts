/**
 * Shows one's own player without waiting for the server: where the inputs so far will have taken them.
 *
 * Each state says where the player was and which input was applied last. The delay of that echo is
 * how far behind the server's word is, so the inputs of that last stretch of time are run again on
 * top of it. What then differs from what is shown is taken back smoothly, unless it is so much that
 * the player was plainly elsewhere.
 */
import { move, type Point } from "../arena-map.ts";

/** Longest stretch of inputs that is kept, ms. A longer delay is shown as this one. */
const HISTORY_MS = 1_000;
/** An error halves in this time. */
const HALF_LIFE_MS = 70;
/** Beyond this, units, the player is put where they are at once. */
const JUMP = 220;
const STEP_MS = 25;
/** The state that first echoes an input has already moved the player by it for one tick, ms. */
const TICK_MS = 50;

interface Push extends Point {
  readonly input: number;
  readonly atMs: number;
}

export class Prediction {
  #shown: Point | undefined;
  /** What is shown minus what is believed; fades. */
  #error: Point = { x: 0, y: 0 };
  #pushes: Push[] = [];
  #echoed = 0;
  #delayMs = 30;
  #nowMs = 0;

  /** How far behind the server's word is, ms. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** A new room: nothing is known. */
  reset(): void {
    this.#shown = undefined;
    this.#error = { x: 0, y: 0 };
  }

  /** The player pushes that way from now on; `input` grows. */
  pushed(direction: Point, input: number, nowMs: number): void {
    this.#pushes.push({ x: direction.x, y: direction.y, input, atMs: nowMs });
  }

  /** A state came: there the player was, after the input `lastInput`. */
  told(place: Point, lastInput: number, nowMs: number): void {
    this.#learnDelay(lastInput, nowMs);
    const believed = this.#replay(place, nowMs - this.#delayMs, nowMs);
    const shown = this.at(nowMs);
    const error = shown && { x: shown.x - believed.x, y: shown.y - believed.y };
    const near = error && Math.hypot(error.x, error.y) < JUMP;
    this.#error = near ? error : { x: 0, y: 0 };
    this.#shown = near ? shown : believed;
    this.#nowMs = nowMs;
    this.#forget(nowMs);
  }

  /** Where to draw the player; undefined before the first state. */
  at(nowMs: number): Point | undefined {
    if (!this.#shown) return undefined;
    const passedMs = Math.max(0, nowMs - this.#nowMs);
    const kept = 0.5 ** (passedMs / HALF_LIFE_MS);
    const believed = this.#replay(
      { x: this.#shown.x - this.#error.x, y: this.#shown.y - this.#error.y },
      this.#nowMs,
      nowMs,
    );
    this.#error = { x: this.#error.x * kept, y: this.#error.y * kept };
    this.#shown = { x: believed.x + this.#error.x, y: believed.y + this.#error.y };
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    return this.#shown;
  }

  #learnDelay(lastInput: number, nowMs: number): void {
    if (lastInput <= this.#echoed) return;
    this.#echoed = lastInput;
    const push = this.#pushes.find(({ input }) => input === lastInput);
    if (!push) return;
    const sampleMs = Math.min(HISTORY_MS, Math.max(0, nowMs - push.atMs - TICK_MS));
    this.#delayMs += (sampleMs - this.#delayMs) / 4;
  }

  #replay(from: Point, fromMs: number, untilMs: number): Point {
    let place = from;
    for (let atMs = fromMs; atMs < untilMs; atMs += STEP_MS) {
      const stepMs = Math.min(STEP_MS, untilMs - atMs);
      const push = this.#pushes.findLast((one) => one.atMs <= atMs);
      if (push) place = move(place, push, stepMs);
    }
    return place;
  }

  /** Keeps the last push before the stretch: it is still in force when the stretch begins. */
  #forget(nowMs: number): void {
    const first = this.#pushes.findLastIndex(({ atMs }) => atMs < nowMs - HISTORY_MS);
    if (first > 0) this.#pushes = this.#pushes.slice(first);
  }
}
