/**
 * The clock of the leader's parts. A process that stood still past its lease meets its timers before anything else:
 * what they would decide waits until the database has said that it still leads. If it does not, the process has ended
 * by then.
 */
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { Standing } from "./leadership-step.ts";

export interface KnowsStanding {
  readonly standing: Standing;
  /** Resolves once it is neither `starting` nor `unsure`. */
  settled(): Promise<Standing>;
}

/** @param leadership asked at each timer: it is made after the parts that use this clock */
export function leaderClock(clock: Clock, leadership: () => KnowsStanding): Clock {
  /** Runs a task of a timer now, or when it is known who leads, unless it is cancelled by then. */
  function gated(schedule: (run: () => void) => Cancel, task: () => void): Cancel {
    let cancelled = false;
    let waiting = false;
    const cancel = schedule(() => {
      const known = leadership();
      if (known.standing !== "unsure") {
        task();
        return;
      }
      // Of a timer that falls due again meanwhile, once is enough.
      if (waiting) return;
      waiting = true;
      void known.settled().then(() => {
        waiting = false;
        if (!cancelled) task();
      });
    });
    return () => {
      cancelled = true;
      cancel();
    };
  }
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, task) => gated((run) => clock.after(delayMs, run), task),
    every: (periodMs, task) => gated((run) => clock.every(periodMs, run), task),
  };
}
