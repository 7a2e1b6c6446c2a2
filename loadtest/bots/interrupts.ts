/**
 * Ctrl-C: the first asks for the end, the second forces it. One Ctrl-C reaches this process twice,
 * from the terminal and from npm, so repeats within `SAME_SIGNAL_MS` count as one.
 */
import type { Clock } from "../../shared/clock.ts";

export const SAME_SIGNAL_MS = 300;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface Interrupts {
  /** What sends the signals: this process. */
  readonly source: Pick<NodeJS.EventEmitter, "on">;
  readonly clock: Clock;
  /** The first one. */
  readonly onAsked: () => void;
  /** Every further one. */
  readonly onForced: () => void;
}

export function watchInterrupts({ source, clock, onAsked, onForced }: Interrupts): void {
  let lastMs = Number.NEGATIVE_INFINITY;
  let asked = false;
  const received = () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - lastMs < SAME_SIGNAL_MS) return;
    lastMs = nowMs;
    if (asked) onForced();
    else onAsked();
    asked = true;
  };
  for (const signal of SIGNALS) source.on(signal, received);
}
