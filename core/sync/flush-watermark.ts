/**
 * Up to where each outbox's batches are flushed at the standby. A batch is committed on the primary alone, and its
 * producer keeps it until a promotion can't lose it any more.
 *
 * A synchronous commit waits until the standby has flushed the log up to it. So one such commit, every 100 ms and
 * only while something is open, settles all batches that were committed before it began. That needs no right to
 * look at the standby, and means just what the database means by synchronous.
 *
 * Whoever is not known counts as not flushed: a core that has just started, a producer that was forgotten for
 * want of room. The next commit settles those as well.
 */
import { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { ProducerId } from "../../shared/protocol/player-state.ts";

const PERIOD_MS = 100;
/** After a commit that failed: the standby may be gone, and then commits go on without it within seconds. */
const RETRY_MS = 500;
const PRODUCERS_MAX = 20_000;

export interface FlushWatermarkDeps {
  /** Resolves when all that was committed before is flushed. */
  readonly awaitFlushed: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class FlushWatermark {
  readonly #deps: FlushWatermarkDeps;
  readonly #failures: Counter;
  readonly #flushed = new LRUCache<ProducerId, number>({ max: PRODUCERS_MAX });
  /** Applied, and to be settled by the next commit. */
  #open = new Map<ProducerId, number>();
  #cancel: Cancel | undefined;
  #stopped = false;

  constructor(deps: FlushWatermarkDeps) {
    this.#deps = deps;
    const registers = [deps.metrics];
    this.#failures = new Counter({
      name: "meridian_state_flush_failures_total",
      help: "Times that the core could not find out what the standby has flushed.",
      registers,
    });
    const open = () => this.#open.size;
    new Gauge({
      name: "meridian_state_unflushed_producers",
      help: "Outboxes with batches that the database's standby may not have yet.",
      registers,
      collect() {
        this.set(open());
      },
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  /** @param lastSeq what was applied of it, as a transaction that is over has seen or made it */
  flushedSeqOf(producerId: ProducerId, lastSeq: number): number {
    const flushed = this.#flushed.get(producerId) ?? 0;
    if (flushed === lastSeq) return lastSeq;
    // Set back since: what is counted anew from there is not what was flushed.
    if (flushed > lastSeq) this.#flushed.delete(producerId);
    const known = flushed > lastSeq ? 0 : flushed;
    const open = this.#open;
    // One that is left out stays unknown, and asks again.
    if (open.size < PRODUCERS_MAX || open.has(producerId)) {
      open.set(producerId, Math.max(lastSeq, open.get(producerId) ?? 0));
    }
    this.#cancel ??= this.#deps.clock.after(PERIOD_MS, () => void this.#settle());
    return known;
  }

  async #settle(): Promise<void> {
    const { awaitFlushed, clock, log } = this.#deps;
    const settled = this.#open;
    this.#open = new Map();
    let delayMs = PERIOD_MS;
    try {
      await awaitFlushed();
      for (const [producerId, seq] of settled) this.#flushed.set(producerId, seq);
    } catch (err) {
      if (!isFailure(err)) throw err;
      delayMs = RETRY_MS;
      this.#failures.inc();
      const about = { err, runbook: "core-database-standby-lost" };
      log.warn(about, "can't find out what the database's standby has");
      this.#putBack(settled);
    }
    this.#cancel = undefined;
    if (this.#stopped || this.#open.size === 0) return;
    this.#cancel = clock.after(delayMs, () => void this.#settle());
  }

  #putBack(settled: ReadonlyMap<ProducerId, number>): void {
    for (const [producerId, seq] of settled) {
      if (this.#open.size >= PRODUCERS_MAX) return;
      if (!this.#open.has(producerId)) this.#open.set(producerId, seq);
    }
  }
}
