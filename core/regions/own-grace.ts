/**
 * Whether the core may take a node's silence for its end. A core that stood still, as a machine that was
 * paused or a process that had no turn, has heard nobody meanwhile, and its timers run before what waits in
 * its sockets is read: every node would be down at once, and all answers of joins and name servers empty.
 * So after a pause nodes have one grace anew, as they have at its start.
 */
import type { Logger } from "pino";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { GRACE_MS } from "../../shared/protocol/link.ts";

/** A node that was heard a period before a pause that is just shorter has not used up its grace. */
export const PAUSE_MS = 1_000;

export interface OwnGraceDeps {
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class OwnGrace {
  readonly #log: Logger;
  readonly #pauses: Counter;
  #tickedMs: number;
  #untilMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs monotonic */
  constructor({ log, metrics }: OwnGraceDeps, nowMs: number) {
    this.#log = log;
    this.#tickedMs = nowMs;
    this.#pauses = new Counter({
      name: "meridian_core_pauses_total",
      help: "Times that the core stood still for a second or more.",
      registers: [metrics],
    });
  }

  /** To be asked at every tick. @param nowMs monotonic */
  isOver(nowMs: number): boolean {
    const pausedMs = Math.round(nowMs - this.#tickedMs);
    this.#tickedMs = nowMs;
    if (pausedMs >= PAUSE_MS) {
      this.#untilMs = nowMs + GRACE_MS;
      this.#pauses.inc();
      this.#log.warn(
        { pausedMs, runbook: "core-node-down" },
        "the core stood still: silent nodes have one grace anew",
      );
    }
    return nowMs >= this.#untilMs;
  }
}
