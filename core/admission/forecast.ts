/**
 * When each place of a line is served: time goes on in steps, in which seats are left by the ages of those who
 * play, and places by the ages of those who wait; free seats go to the front (a fluid model), and whoever gets one
 * leaves it in turn. It goes on only as far as it is asked. Pure, apart from that.
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
  /** Seats that can be given at once; below 0 where as many are to be left first. */
  readonly free: number;
  /** Ends a ms of each that is of an age. */
  readonly leaving: (ageMs: number) => number;
  readonly ending: (ageMs: number) => number;
  /** What comes of a seat that sessions are expected to leave. */
  readonly perEnd: number;
  /** Seats a ms at most. */
  readonly perMsMax: number;
}

const STEP_MS = 1_000;
/** Steps become longer with the time they are away. */
const STEP_SHARE = 1 / 16;
const HORIZON_MS = 6 * 3_600_000;

interface Group {
  /** At the beginning; below 0 for those who begin later. */
  readonly ageMs: number;
  players: number;
}

export class Forecast {
  readonly #options: ForecastOptions;
  readonly #waiting: Group[];
  readonly #playing: Group[];
  /** Of those who wait, the first that is not served. */
  #first = 0;
  #free: number;
  #nowMs = 0;
  /** Players from the front on, and when those before are served. */
  readonly #players: number[] = [0];
  readonly #ms: number[] = [0];

  constructor(options: ForecastOptions) {
    this.#options = options;
    this.#waiting = options.line.map((cohort) => ({ ...cohort }));
    this.#playing = options.playing.map((cohort) => ({ ...cohort }));
    this.#free = options.free;
  }

  /** When the player at that position is served, ms; also behind the end. `Infinity`: not in the next hours. */
  ms(position: number): number {
    while ((this.#players.at(-1) ?? 0) < position && this.#nowMs < HORIZON_MS) this.#step();
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
    if (after === undefined || afterMs === undefined) {
      return before === position ? beforeMs : Number.POSITIVE_INFINITY;
    }
    return beforeMs + ((position - before) / (after - before)) * (afterMs - beforeMs);
  }

  #step(): void {
    const { leaving, ending, perEnd, perMsMax } = this.#options;
    const beganMs = this.#nowMs;
    const stepMs = Math.max(STEP_MS, beganMs * STEP_SHARE);
    const { ends, left } = this.#leaveSeats(ending, stepMs);
    const come = ends * perEnd;
    const given = Math.max(0, Math.min(this.#free + come, perMsMax * stepMs));
    this.#free += come - given;
    // Those who are let in; of the seats that come to nobody here others have them.
    const begin = left + given - come;
    if (begin > 0) this.#playing.push({ ageMs: -beganMs, players: begin });
    for (let at = this.#first; at < this.#waiting.length; at += 1) {
      leave(this.#waiting[at], leaving, beganMs, stepMs);
    }
    this.#nowMs += stepMs;
    if (given > 0) this.#serve(given, beganMs, stepMs);
  }

  /**
   * @returns how many seats are left, those among them of whoever came meanwhile, where players stay for less than the
   * step; and how many of those who were there left theirs
   */
  #leaveSeats(
    ending: (ageMs: number) => number,
    stepMs: number,
  ): { readonly ends: number; readonly left: number } {
    let [ends, left] = [0, 0];
    for (const group of this.#playing) {
      const perMs = ending(group.ageMs + this.#nowMs);
      ends += group.players * perMs * stepMs;
      left += leave(group, () => perMs, this.#nowMs, stepMs);
    }
    return { ends, left };
  }

  /** The front of the line, and who came behind it. */
  #serve(given: number, beganMs: number, stepMs: number): void {
    let rest = given;
    for (; this.#first < this.#waiting.length; this.#first += 1) {
      const group = this.#waiting[this.#first];
      if (!group || group.players > rest) break;
      rest -= group.players;
      const players = this.#options.line[this.#first]?.players ?? 0;
      this.#note(players, beganMs + (1 - rest / given) * stepMs);
    }
    const group = this.#waiting[this.#first];
    if (group) group.players -= rest;
    else this.#note(rest, beganMs + stepMs);
  }

  #note(players: number, ms: number): void {
    if (players <= 0) return;
    this.#players.push((this.#players.at(-1) ?? 0) + players);
    this.#ms.push(ms);
  }
}

/** @returns as many of the group as go within the step */
function leave(
  group: Group | undefined,
  perMs: (ageMs: number) => number,
  ms: number,
  stepMs: number,
): number {
  if (!group) return 0;
  const stay = group.players * Math.exp(-stepMs * perMs(group.ageMs + ms));
  const gone = group.players - stay;
  group.players = stay;
  return gone;
}
