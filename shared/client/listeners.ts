/** Those who are told of something. */
import type { Cancel } from "../clock.ts";

/** One that throws is reported as an uncaught error, and the others are told all the same. */
export function tell<T>(listeners: Iterable<T>, call: (listener: T) => void): void {
  for (const listener of listeners) {
    try {
      call(listener);
    } catch (error) {
      report(error);
    }
  }
}

export function add<T>(listeners: Set<T>, listener: T): Cancel {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** As a browser does it for a listener of its own; elsewhere the error is thrown where nobody waits. */
function report(error: unknown): void {
  if ("reportError" in globalThis) globalThis.reportError(error);
  else {
    queueMicrotask(() => {
      throw error;
    });
  }
}
