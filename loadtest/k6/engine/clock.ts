/** Time inside k6, whose engine has no monotonic clock: machines that generate load keep their time right. */
import { clearInterval, clearTimeout, setInterval, setTimeout } from "k6/timers";
import type { Clock } from "../../../shared/clock.ts";

export const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
  every(periodMs, task) {
    const timer = setInterval(task, periodMs);
    return () => clearInterval(timer);
  },
};

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, delayMs));
  });
}

export function pauseUntil(atMs: number): Promise<void> {
  return pause(atMs - Date.now());
}
