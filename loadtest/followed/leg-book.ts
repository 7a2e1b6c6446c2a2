/** All legs so far. What goes on is told again and again, and its newest account counts. */
import type { Leg } from "./leg.ts";

export class LegBook {
  readonly #legs = new Map<string, Leg>();

  add(legs: readonly Leg[]): void {
    // A leg that only says that a room was lost may begin in the same ms as the next one.
    for (const leg of legs)
      this.#legs.set(`${leg.player} ${leg.beganMs} ${leg.end?.how === "lost"}`, leg);
  }

  get all(): readonly Leg[] {
    return [...this.#legs.values()];
  }

  /** Forgets legs that ended, but for each player's last. */
  forgetEnded(): void {
    const last = new Map<string, number>();
    for (const { player, beganMs } of this.#legs.values()) {
      last.set(player, Math.max(last.get(player) ?? 0, beganMs));
    }
    for (const [key, { player, beganMs }] of this.#legs) {
      if (beganMs < (last.get(player) ?? 0)) this.#legs.delete(key);
    }
  }
}
