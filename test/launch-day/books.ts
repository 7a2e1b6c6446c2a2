/** What is written down of a launch day. */
import { Spread } from "./spreads.ts";

interface Circumstances {
  readonly disturbed: boolean;
  /** When the day of the opening has become a usual one. */
  readonly settledMs: number;
}

export class Books {
  /** Until called, ms, by class, of those who were. */
  readonly waitsMs = new Map<string, Spread>();
  /** Of what was told at positions from 100 on, percent of the wait that came. */
  readonly etaErrorPct = new Spread();
  /** Without those whose wait met a restart or the loss of a region. */
  readonly etaErrorUndisturbedPct = new Spread();
  /** Of these, what was told an hour after the opening and later: by then sessions end as they begin. */
  readonly etaErrorSettledPct = new Spread();
  etaWithinBounds = 0;
  readonly utilisation: number[] = [];
  /** From a call to the last seat of it, or to its end, ms. */
  readonly heldMs = new Spread();
  seated = 0;
  calls = 0;
  lapsed = 0;
  polls = 0;
  waitingMax = 0;
  activeMax = 0;
  gaveUp = 0;
  queueFull = 0;
  offersTaken = 0;
  placeLost = 0;
  restored = 0;
  failovers = 0;
  reconnects = 0;
  /** Called, and then the region had no seat. */
  calledThenRefused = 0;
  calledAbsent = 0;
  tooFast = 0;
  overActive = 0;
  partiesApart = 0;
  numbersChanged = 0;
  outOfTurnNumbers = 0;
  placesLostWithinGrace = 0;
  inTwice = 0;
  leaked = 0;
  waitForEver = 0;

  waited(name: string, ms: number): void {
    const spread = this.waitsMs.get(name) ?? new Spread();
    this.waitsMs.set(name, spread);
    spread.add(ms);
  }

  /** What was told of a wait, in fours: when, the estimate, its bounds; and when it ended. */
  came(told: readonly number[], calledMs: number, { disturbed, settledMs }: Circumstances): void {
    for (let at = 0; at < told.length; at += 4) {
      const [toldMs = 0, etaMs = 0, lowMs = 0, highMs = 0] = told.slice(at, at + 4);
      const waitedMs = calledMs - toldMs;
      if (waitedMs <= 0) continue;
      const errorPct = (100 * Math.abs(etaMs - waitedMs)) / waitedMs;
      this.etaErrorPct.add(errorPct);
      if (!disturbed) this.etaErrorUndisturbedPct.add(errorPct);
      if (!disturbed && toldMs >= settledMs) this.etaErrorSettledPct.add(errorPct);
      if (waitedMs >= lowMs && waitedMs <= highMs) this.etaWithinBounds += 1;
    }
  }
}
