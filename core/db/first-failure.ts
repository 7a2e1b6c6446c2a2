import { isAborted } from "./failures.ts";

/**
 * Of statements that are sent together the ones after a failure fail as well, only because it did; and whoever
 * waits for them all may hear of those first.
 */
export class FirstFailure {
  #error: unknown;

  readonly note = (error: unknown): void => {
    this.#error ??= error;
  };

  behind(thrown: unknown): unknown {
    return isAborted(thrown) ? (this.#error ?? thrown) : thrown;
  }
}
