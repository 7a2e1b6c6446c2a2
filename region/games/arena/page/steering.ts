/** Sends where the player pushes: when it changes, not more often than the room ticks. */
import type { Point } from "../arena-map.ts";

const EVERY_MS = 50;

export interface Push {
  readonly input: number;
  readonly x: number;
  readonly y: number;
}

export class Steering {
  readonly #send: (push: Push) => boolean;
  #inputs = 0;
  #last: Point | undefined;
  #sentMs = Number.NEGATIVE_INFINITY;

  /** @param send answers whether the push went out */
  constructor(send: (push: Push) => boolean) {
    this.#send = send;
  }

  /** The room may not know the last push: a new connection, or another room. */
  forget(): void {
    this.#last = undefined;
  }

  /** @returns what was sent, if anything was */
  update({ x, y }: Point, nowMs: number): Push | undefined {
    if (this.#last && this.#last.x === x && this.#last.y === y) return undefined;
    if (nowMs - this.#sentMs < EVERY_MS) return undefined;
    const push = { input: this.#inputs + 1, x, y };
    if (!this.#send(push)) return undefined;
    this.#inputs = push.input;
    this.#last = { x, y };
    this.#sentMs = nowMs;
    return push;
  }
}
