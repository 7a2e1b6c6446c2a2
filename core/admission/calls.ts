/**
 * Those who wait on an open connection to be called: a poll that is held, or a stream of events. At most
 * `OPEN_MAX` of them; who gets none polls.
 */
import type { PlayerId } from "../../shared/ids.ts";

const OPEN_MAX = 4_000;

export class Calls {
  readonly #bells = new Map<PlayerId, Set<() => void>>();
  readonly #streams = new Map<PlayerId, AbortController>();
  #open = 0;

  get open(): number {
    return this.#open;
  }

  get full(): boolean {
    return this.#open >= OPEN_MAX;
  }

  /** @returns stops listening */
  listen(playerId: PlayerId, bell: () => void): () => void {
    const bells = this.#bells.get(playerId) ?? new Set();
    this.#bells.set(playerId, bells);
    bells.add(bell);
    this.#open += 1;
    return () => {
      if (!bells.delete(bell)) return;
      this.#open -= 1;
      if (bells.size === 0) this.#bells.delete(playerId);
    };
  }

  /**
   * The player's one stream from now on: a former one ends, so that nobody holds more than one.
   * @returns aborts when another one takes its place; and what to call when it has ended
   */
  stream(playerId: PlayerId): { readonly replaced: AbortSignal; readonly ended: () => void } {
    this.#streams.get(playerId)?.abort();
    const own = new AbortController();
    this.#streams.set(playerId, own);
    const ended = () => {
      if (this.#streams.get(playerId) === own) this.#streams.delete(playerId);
    };
    return { replaced: own.signal, ended };
  }

  /** Players who have one. */
  get streams(): number {
    return this.#streams.size;
  }

  ring(playerId: PlayerId): void {
    for (const bell of this.#bells.get(playerId) ?? []) bell();
  }

  /** Everybody is to come back: the core stops. */
  ringAll(): void {
    for (const playerId of [...this.#bells.keys()]) this.ring(playerId);
  }
}
