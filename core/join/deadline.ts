/** A deadline on a promise whose late result must not be lost. */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";

/**
 * What `work` gives, if it does within `deadlineMs`.
 * @param onLate takes a result that came after the deadline
 * @throws {MeridianError} `timeout` past the deadline; what `work` throws before it
 */
export function withDeadline<T>(
  clock: Clock,
  deadlineMs: number,
  work: Promise<T>,
  onLate: (result: T) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let late = false;
    const cancel = clock.after(deadlineMs, () => {
      late = true;
      reject(new MeridianError("timeout"));
    });
    work.then(
      (result) => {
        cancel();
        if (late) onLate(result);
        else resolve(result);
      },
      (error: unknown) => {
        cancel();
        // A late failure has been answered with `timeout`: rejecting again has no effect.
        reject(error);
      },
    );
  });
}
