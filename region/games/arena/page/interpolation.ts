/**
 * Shows other players smoothly: each state's places are kept with the time of their arrival, and drawn
 * a little later, between two of them. Nothing is guessed: a player of whom nothing new comes stands.
 */
import type { Point } from "../arena-map.ts";

/** How much later: two patches, so that one may be late. */
export const DELAY_MS = 100;
/** Samples kept of each player. */
const SAMPLES_MAX = 12;
/** A longer gap was a standstill, not a slow walk, ms. */
const GAP_MS = 120;

interface Sample extends Point {
  readonly atMs: number;
}

export class Interpolation {
  readonly #tracks = new Map<string, Sample[]>();

  /** Where everybody is, by session, in the state that just came. */
  told(places: Iterable<readonly [string, Point]>, nowMs: number): void {
    const here = new Set<string>();
    for (const [id, { x, y }] of places) {
      here.add(id);
      const track = this.#tracks.get(id) ?? [];
      this.#tracks.set(id, track);
      track.push({ x, y, atMs: nowMs });
      if (track.length > SAMPLES_MAX) track.shift();
    }
    for (const id of this.#tracks.keys()) if (!here.has(id)) this.#tracks.delete(id);
  }

  /** Where to draw that player now. */
  at(id: string, nowMs: number): Point | undefined {
    const track = this.#tracks.get(id);
    if (!track) return undefined;
    const shownMs = nowMs - DELAY_MS;
    const after = track.findIndex(({ atMs }) => atMs > shownMs);
    const next = after === -1 ? track.at(-1) : track[after];
    const previous = after > 0 ? track[after - 1] : next;
    if (!next || !previous) return undefined;
    const startMs = Math.max(previous.atMs, next.atMs - GAP_MS);
    const spanMs = next.atMs - startMs;
    const part = spanMs > 0 ? Math.min(1, Math.max(0, (shownMs - startMs) / spanMs)) : 1;
    return {
      x: previous.x + (next.x - previous.x) * part,
      y: previous.y + (next.y - previous.y) * part,
    };
  }
}
