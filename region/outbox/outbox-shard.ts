/**
 * Carries out what the producer's step wants done, and brings back what came of it. Everything that fails
 * is tried again: appends at the next beat, calls to the core with growing, jittered delays.
 */
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { Marks } from "../../shared/player-state/change-set.ts";
import type {
  BatchAnswer,
  BatchRequest,
  CloseProducerAnswer,
  CloseProducerRequest,
  ProducerId,
} from "../../shared/protocol/player-state.ts";
import type { OutboxMetrics } from "./outbox-metrics.ts";
import type { Streams } from "./outbox-streams.ts";
import {
  isDrained,
  type ProducerEffect,
  type ProducerEvent,
  type ProducerState,
  producerIdOf,
  producerStep,
} from "./producer-step.ts";

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2_000;
const REDIS_RETRY_MS = 250;
/**
 * While the core does not take entries they become fewer and larger: one a second at last, so that ten
 * minutes without it are hundreds of them and not tens of thousands.
 */
const BEATS_BETWEEN_MAX = 20;
const KEPT_PER_BEAT = 32;
/** Batches are made half as often as entries, so that more is merged: they cost the core by the row. */
const BEATS_BETWEEN_SENDS = 2;

/** Calls to the core. @throws {MeridianError} as `LinkClient.call` */
export interface SyncCalls {
  batch(request: BatchRequest): Promise<BatchAnswer>;
  close(request: CloseProducerRequest): Promise<CloseProducerAnswer>;
}

export interface OutboxShardOptions {
  readonly state: ProducerState;
  readonly streams: Streams;
  readonly calls: SyncCalls;
  /** Of a stream that was taken over: the node that wrote it, when this is the last one of that node. */
  readonly drainedNode?: () => Promise<NodeId | undefined>;
  readonly saved: (marks: Marks) => void;
  readonly rewrite: () => void;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: OutboxMetrics;
}

export class OutboxShard {
  readonly #options: OutboxShardOptions;
  readonly #stopped = new AbortController();
  readonly #busy = new Set<ProducerEffect["type"]>();
  #written: { readonly seq: number; readonly atMs: number }[] = [];
  #beats = 0;
  #failures = 0;
  #changed = () => {};

  constructor(options: OutboxShardOptions) {
    this.#options = options;
  }

  get state(): ProducerState {
    return this.#options.state;
  }

  /** What waits for the core. */
  get backlog(): { readonly items: number; readonly bytes: number } {
    const { waiting, appending, keptItems, keptBytes } = this.state;
    return {
      items: waiting.size + (appending?.items.length ?? 0) + keptItems,
      bytes: keptBytes + (appending?.text.length ?? 0),
    };
  }

  /** When the oldest entry that waits was written down, monotonic ms. */
  get oldestMs(): number | undefined {
    return this.#written[0]?.atMs;
  }

  /** To be called every so often. */
  beat(): void {
    this.#beats += 1;
    const between = Math.min(
      BEATS_BETWEEN_MAX,
      1 + Math.floor(this.state.kept.length / KEPT_PER_BEAT),
    );
    if (this.#beats % (between * BEATS_BETWEEN_SENDS) === 0) this.step({ type: "due" });
    else if (this.#beats % between === 0) this.step({ type: "tick" });
  }

  step(event: ProducerEvent): void {
    if (this.#stopped.signal.aborted) return;
    for (const effect of producerStep(this.state, event)) this.#carryOut(effect);
    this.#changed();
  }

  /** Redis was away: whether it still has what it took. */
  async checkStream(): Promise<void> {
    const { state, streams } = this.#options;
    const by = producerIdOf(state);
    const { phase, lastSeq, appendUnderWay, appending } = state;
    // One without an answer may be there or not: the append itself finds out.
    if (phase !== "open" || appendUnderWay || appending) return;
    const holds = await streams.isAt(by, lastSeq).catch(() => true);
    if (!holds && state.lastSeq === lastSeq) this.#lost(by);
  }

  /** Resolves once everything is flushed and, for a stream that was taken over, closed. */
  async drained(signal: AbortSignal): Promise<void> {
    const done = () => {
      const { phase, takenOver } = this.state;
      return takenOver ? phase === "ended" : isDrained(this.state);
    };
    while (!done() && !signal.aborted && !this.#stopped.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
        this.#stopped.signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  stop(): void {
    this.#stopped.abort();
  }

  #carryOut(effect: ProducerEffect): void {
    const { saved, rewrite, metrics } = this.#options;
    const { type } = effect;
    if (type === "open") this.#once(type, () => this.#open(effect.by));
    else if (type === "close") this.#once(type, () => this.#close(effect));
    else if (type === "append") this.#inBackground(this.#append(effect));
    else if (type === "send") this.#inBackground(this.#send(effect));
    else if (type === "trim") this.#inBackground(this.#trim(effect));
    else if (type === "forget") this.#inBackground(this.#forget(effect.by));
    else if (type === "saved") this.#tell(() => saved(effect.marks));
    else if (type === "rewrite") this.#tell(rewrite);
    else metrics.refused.inc(effect.items);
  }

  /** The step asks for it at every beat until it is done. */
  #once(type: ProducerEffect["type"], work: () => Promise<void>): void {
    if (this.#busy.has(type)) return;
    this.#busy.add(type);
    this.#inBackground(work().finally(() => this.#busy.delete(type)));
  }

  /** A failure of one who is told must not keep the other effects from being carried out. */
  #tell(what: () => void): void {
    try {
      what();
    } catch (err) {
      const { log } = this.#options;
      log.error({ err, runbook: "region-outbox" }, "the outbox failed at a step");
    }
  }

  /** Each handles its own failures; what is left is a mistake of ours. */
  #inBackground(work: Promise<void>): void {
    work.catch((err: unknown) => {
      const { log } = this.#options;
      log.error({ err, runbook: "region-outbox" }, "the outbox failed at a step");
    });
  }

  async #open(by: ProducerId): Promise<void> {
    try {
      await this.#options.streams.open(by);
    } catch {
      // Redis is away, which its connection reports; the next beat asks again.
      return;
    }
    this.step({ type: "opened", by });
  }

  async #append({ by, entry }: ProducerEffect & { type: "append" }): Promise<void> {
    const { streams, clock, metrics } = this.#options;
    const startMs = clock.monotonicMs();
    let held: boolean;
    try {
      held = await streams.append(by, entry);
    } catch {
      if (by !== producerIdOf(this.state)) return;
      metrics.appends.inc({ outcome: "failed" });
      await this.#delay(REDIS_RETRY_MS);
      this.step({ type: "appendFailed", by });
      return;
    }
    if (by !== producerIdOf(this.state)) return;
    if (!held) {
      this.#lost(by);
      return;
    }
    const nowMs = clock.monotonicMs();
    metrics.appends.inc({ outcome: "done" });
    metrics.appendMs.observe(nowMs - startMs);
    this.#written.push({ seq: entry.seq, atMs: startMs });
    this.step({ type: "appended", by, seq: entry.seq });
  }

  #lost(by: ProducerId): void {
    const { log, metrics } = this.#options;
    metrics.appends.inc({ outcome: "lost" });
    log.warn(
      { producer: by, runbook: "region-outbox" },
      "redis lost what it had taken: writing it again",
    );
    this.step({ type: "redisLost", by });
  }

  async #send({ by, batch }: ProducerEffect & { type: "send" }): Promise<void> {
    const { calls, metrics } = this.#options;
    let answer: BatchAnswer;
    try {
      answer = await calls.batch({ producerId: by, ...batch, items: [...batch.items] });
    } catch (error) {
      await this.#failed("batch", error);
      this.step({ type: "sendFailed", by });
      return;
    }
    this.#failures = 0;
    metrics.batches.inc({ outcome: answer.outcome });
    if (answer.outcome === "applied") metrics.sent.inc(batch.items.length);
    // Applied and not flushed yet: asked again after a while, not at once.
    if (batch.items.length === 0) await this.#delay(REDIS_RETRY_MS);
    this.step({ type: "answered", by, answer });
  }

  async #trim({ by, upTo }: ProducerEffect & { type: "trim" }): Promise<void> {
    this.#written = this.#written.filter(({ seq }) => seq > upTo);
    try {
      await this.#options.streams.trim(by, upTo);
    } catch {
      // The next trim takes these along.
    }
  }

  async #close({ by, drained }: ProducerEffect & { type: "close" }): Promise<void> {
    const { calls, drainedNode } = this.#options;
    try {
      const node = drained ? await drainedNode?.() : undefined;
      const request = { producerId: by, ...(node && { drainedNode: node }) };
      const answer = await calls.close(request);
      this.#failures = 0;
      if (answer.flushedSeq < answer.lastSeq) await this.#delay(REDIS_RETRY_MS);
      this.step({ type: "closed", by, answer });
    } catch (error) {
      await this.#failed("close", error);
    }
  }

  async #forget(by: ProducerId): Promise<void> {
    this.#written = [];
    const { streams } = this.#options;
    try {
      await (this.state.takenOver ? streams.retire(by) : streams.forget(by));
    } catch {
      // It is closed: whoever takes it over finds that out, and forgets it.
    }
  }

  async #failed(call: string, error: unknown): Promise<void> {
    const { log, metrics, random } = this.#options;
    this.#failures += 1;
    const kind = isFailure(error) ? error.kind : "internal";
    metrics.batches.inc({ outcome: kind });
    if (this.#failures === 1) {
      log.warn(
        { err: error, call, runbook: "region-outbox" },
        "the core takes no changes: waiting",
      );
    }
    const ceilingMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures);
    await this.#delay(RETRY_MIN_MS + random() * (ceilingMs - RETRY_MIN_MS));
  }

  #delay(delayMs: number): Promise<void> {
    return sleep(this.#options.clock, delayMs, this.#stopped.signal);
  }
}
