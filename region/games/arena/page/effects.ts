/** Short-lived things that only please the eye: sparks, rings, rising numbers. */
import type { Point } from "../arena-map.ts";

/** More than this at once, and the oldest go first. */
const EFFECTS_MAX = 240;
const SPARKS = { coin: { hue: 44, sparks: 8 }, gem: { hue: 300, sparks: 16 } } as const;

interface Base extends Point {
  readonly bornMs: number;
  readonly lifeMs: number;
  readonly hue: number;
}
export type Effect =
  | (Base & { readonly kind: "spark"; readonly vx: number; readonly vy: number })
  | (Base & { readonly kind: "ring"; readonly radius: number })
  | (Base & { readonly kind: "number"; readonly text: string });

export class Effects {
  readonly #random: () => number;
  readonly #quiet: boolean;
  #alive: Effect[] = [];

  /** @param quiet for players who asked for less motion: numbers only */
  constructor(random: () => number, quiet: boolean) {
    this.#random = random;
    this.#quiet = quiet;
  }

  picked({ x, y }: Point, what: "coin" | "gem", nowMs: number): void {
    if (this.#quiet) return;
    const { hue, sparks } = SPARKS[what];
    for (let spark = 0; spark < sparks; spark += 1) {
      const angle = this.#random() * 2 * Math.PI;
      const speed = 40 + this.#random() * 130;
      const lifeMs = 280 + this.#random() * 320;
      const vx = Math.cos(angle) * speed;
      const vy = Math.sin(angle) * speed;
      this.#add({ kind: "spark", x, y, vx, vy, hue, bornMs: nowMs, lifeMs });
    }
  }

  banked({ x, y }: Point, amount: number, nowMs: number): void {
    const base = { x, y, hue: 168, bornMs: nowMs };
    this.#add({ ...base, kind: "number", text: `+${amount}`, lifeMs: 1_100 });
    if (!this.#quiet) this.#add({ ...base, kind: "ring", radius: 90, lifeMs: 550 });
  }

  appeared({ x, y }: Point, hue: number, nowMs: number): void {
    if (!this.#quiet)
      this.#add({ kind: "ring", x, y, hue, radius: 60, bornMs: nowMs, lifeMs: 600 });
  }

  /** Those still alive, each with how far it has lived, 0 to 1. */
  *at(nowMs: number): Generator<readonly [Effect, number]> {
    this.#alive = this.#alive.filter(({ bornMs, lifeMs }) => nowMs - bornMs < lifeMs);
    for (const effect of this.#alive) {
      yield [effect, Math.max(0, (nowMs - effect.bornMs) / effect.lifeMs)];
    }
  }

  #add(effect: Effect): void {
    this.#alive.push(effect);
    if (this.#alive.length > EFFECTS_MAX) this.#alive.shift();
  }
}
