/**
 * When each place of a line is served: time goes on in steps, in which seats are left by the ages of those who
 * play, and places by the ages of those who wait; seats go to the front (a fluid model). Pure.
 */

/** As many who began at the same time. */
export interface Cohort {
  readonly ageMs: number;
  readonly players: number;
}

export interface ForecastOptions {
  /** Those who wait, the front first. */
  readonly line: readonly Cohort[];
  readonly playing: readonly Cohort[];
  /** Ends a ms of each that is of an age. */
  readonly leaving: (ageMs: number) => number;
  readonly ending: (ageMs: number) => number;
  /** What comes of a seat that sessions are expected to leave. */
  readonly perEnd: number;
  /** Seats a ms at most. */
  readonly perMsMax: number;
}

const STEP_MS = 15_000;
/** Steps become longer with the time they are away. */
const STEP_SHARE = 1 / 16;
const HORIZON_MS = 6 * 3_600_000;

interface Group {
  /** At the beginning; below 0 for seats that are given later. */
  readonly ageMs: number;
  players: number;
}

export class Forecast {
  /** Players from the front on, and when those before are served. */
  readonly #players: number[] = [0];
  readonly #ms: number[] = [0];
  /** Seats a ms that come behind the line. */
  #perMs = 0;

  constructor({ line, playing, leaving, ending, perEnd, perMsMax }: ForecastOptions) {
    const waiting = line.map((cohort) => ({ ...cohort }));
    const seats = playing.map((cohort) => ({ ...cohort }));
    let first = 0;
    for (let ms = 0; ms < HORIZON_MS && first < waiting.length; ) {
      const stepMs = Math.max(STEP_MS, ms * STEP_SHARE);
      // Whoever is let in leaves in turn, where players stay for less than a step within this one.
      const ends = stepMs * sum(seats, ({ ageMs, players }) => players * ending(ageMs + ms));
      seats.push({ ageMs: -ms, players: leave(seats, ending, { ms, stepMs }) });
      leave(waiting.slice(first), leaving, { ms, stepMs });
      const given = Math.min(ends * perEnd, perMsMax * stepMs);
      let left = given;
      for (; first < waiting.length; first += 1) {
        const group = waiting[first];
        if (!group || group.players > left) break;
        left -= group.players;
        this.#served(line[first]?.players ?? 0, ms + (given > 0 ? 1 - left / given : 1) * stepMs);
      }
      const group = waiting[first];
      if (group) group.players -= left;
      this.#perMs = given / stepMs;
      ms += stepMs;
    }
    if (line.length > 0) return;
    this.#perMs = Math.min(
      perMsMax,
      perEnd * sum(seats, ({ ageMs, players }) => players * ending(ageMs)),
    );
  }

  /** When the player at that position is served, ms; behind the end as seats come there. `Infinity`: never. */
  ms(position: number): number {
    let low = 0;
    let high = this.#players.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#players[middle] ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    const before = this.#players[low] ?? 0;
    const beforeMs = this.#ms[low] ?? 0;
    const after = this.#players[low + 1];
    const afterMs = this.#ms[low + 1];
    if (after !== undefined && afterMs !== undefined) {
      return beforeMs + ((position - before) / (after - before)) * (afterMs - beforeMs);
    }
    return this.#perMs > 0
      ? beforeMs + (position - before) / this.#perMs
      : Number.POSITIVE_INFINITY;
  }

  #served(players: number, ms: number): void {
    this.#players.push((this.#players.at(-1) ?? 0) + players);
    this.#ms.push(ms);
  }
}

/** @returns as many as go within the step */
function leave(
  groups: readonly Group[],
  perMs: (ageMs: number) => number,
  { ms, stepMs }: { readonly ms: number; readonly stepMs: number },
): number {
  let gone = 0;
  for (const group of groups) {
    const stay = group.players * Math.exp(-stepMs * perMs(group.ageMs + ms));
    gone += group.players - stay;
    group.players = stay;
  }
  return gone;
}

function sum(groups: readonly Group[], of: (group: Group) => number): number {
  return groups.reduce((total, group) => total + of(group), 0);
}
