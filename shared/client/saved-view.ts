/** How far a room has saved what it keeps of the player, as it tells it. */
import type { Cancel } from "../clock.ts";
import { NOTHING_SAVED, Saved } from "../protocol/saved.ts";
import { add, tell } from "./listeners.ts";

export class SavedView {
  readonly #listeners = new Set<(saved: Saved) => void>();
  #saved = NOTHING_SAVED;

  get saved(): Saved {
    return this.#saved;
  }

  onChange(listener: (saved: Saved) => void): Cancel {
    return add(this.#listeners, listener);
  }

  /** What has a wrong form is passed over. */
  heard(payload: unknown): void {
    const saved = Saved.safeParse(payload);
    if (!saved.success) return;
    this.#saved = saved.data;
    tell(this.#listeners, (listener) => listener(saved.data));
  }

  /** Another room begins anew. */
  forget(): void {
    this.#saved = NOTHING_SAVED;
  }
}
