/** What happened during a run, by hand or by itself: marks on the time axis of its report. */
import type { LoadEvent } from "./summary.ts";

/** A run with more has a mark at every moment, which shows nothing. */
const EVENTS_MAX = 500;

export class Timeline {
  readonly #passedS: () => number;
  readonly #say: (line: string) => void;
  readonly #events: LoadEvent[] = [];

  constructor(passedS: () => number, say: (line: string) => void) {
    this.#passedS = passedS;
    this.#say = say;
  }

  note(what: string): void {
    const atS = Math.round(this.#passedS() * 10) / 10;
    this.#say(`${atS.toFixed(1)} s: ${what}`);
    if (this.#events.length < EVENTS_MAX) this.#events.push({ atS, what });
  }

  get events(): readonly LoadEvent[] {
    return this.#events;
  }
}
