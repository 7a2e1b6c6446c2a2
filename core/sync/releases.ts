/**
 * Tells whoever waits for players that their owners have released them. Only what this core applies is heard, so each
 * wait has an end.
 */
import { type Clock, sleep } from "../../shared/clock.ts";
import type { PlayerId } from "../../shared/ids.ts";

export interface ReleaseWatch {
  /** Resolves when those have all been released since the watch began, or when the time is up. */
  all(playerIds: readonly PlayerId[], withinMs: number): Promise<void>;
  end(): void;
}

export class Releases {
  readonly #clock: Clock;
  readonly #watches = new Set<(released: ReadonlySet<PlayerId>) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(released: ReadonlySet<PlayerId>): void {
    for (const hear of this.#watches) hear(released);
  }

  /** To be begun before the look that says who is to be waited for; ended by whoever began it. */
  watch(): ReleaseWatch {
    const heard = new Set<PlayerId>();
    let changed = () => {};
    const hear = (released: ReadonlySet<PlayerId>) => {
      for (const playerId of released) heard.add(playerId);
      changed();
    };
    this.#watches.add(hear);
    return {
      all: async (playerIds, withinMs) => {
        const done = new AbortController();
        changed = () => {
          if (playerIds.every((playerId) => heard.has(playerId))) done.abort();
        };
        changed();
        if (!done.signal.aborted) await sleep(this.#clock, withinMs, done.signal);
      },
      end: () => {
        this.#watches.delete(hear);
      },
    };
  }
}
