/**
 * Logs why messages of players were refused: each reason once, so that clients can't fill the
 * log.
 */
import type { Logger } from "pino";

/** Reasons in one life of the node; later ones are only counted. */
const REASONS_MAX = 100;

export class RefusalLog {
  readonly #log: Pick<Logger, "info">;
  readonly #known = new Set<string>();

  constructor(log: Pick<Logger, "info">) {
    this.#log = log;
  }

  note(game: string, reason: string): void {
    const about = `${game}: ${reason}`;
    if (this.#known.size >= REASONS_MAX || this.#known.has(about)) return;
    this.#known.add(about);
    this.#log.info({ game, reason }, "a message was refused");
  }
}
