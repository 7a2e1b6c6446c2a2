/**
 * Sends the streams of dead nodes on, one at a time: whichever node of the region finds one first. That it
 * may be wrong about the death, or that two may do it at once, does no harm: the core applies each entry
 * once, whoever brings it, and a writer that lives finds its stream fenced and goes on under another. Still,
 * where Redis was away all signs of life have lapsed, and their writers get the time to give them again.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { NodeId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { ProducerId } from "../../shared/protocol/player-state.ts";
import { ALIVE_MS, type Outbox } from "./outbox.ts";
import type { Streams } from "./outbox-streams.ts";
import { takenOverProducer } from "./producer-step.ts";

const PERIOD_MS = 1_000;
const BEAT_MS = 100;
/** A stream is sent on within this, or left for the next attempt. */
const DRAIN_DEADLINE_MS = 30_000;

export interface OrphanStreamsOptions {
  readonly nodeId: NodeId;
  readonly outbox: Outbox;
  readonly streams: Streams;
  readonly clock: Clock;
  readonly log: Logger;
}

export class OrphanStreams implements Part {
  readonly name = "streams of dead nodes";
  readonly #options: OrphanStreamsOptions;
  readonly #stopped = new AbortController();
  #cancel: Cancel = () => {};
  #running: Promise<void> | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: OrphanStreamsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = this.#options.clock.every(PERIOD_MS, () => this.#lookSoon());
    this.#lookSoon();
  }

  async stop(): Promise<void> {
    this.#cancel();
    this.#stopped.abort();
    await this.#running;
  }

  /** The connection to Redis is back. */
  redisIsBack(): void {
    this.#notBeforeMs = this.#options.clock.monotonicMs() + ALIVE_MS;
  }

  #lookSoon(): void {
    if (this.#options.clock.monotonicMs() < this.#notBeforeMs) return;
    this.#running ??= this.#look()
      .catch(() => {
        // Redis is away, which its connection reports: the next round looks again.
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async #look(): Promise<void> {
    const { streams, nodeId } = this.#options;
    for (const producerId of await streams.list()) {
      if (this.#stopped.signal.aborted) return;
      const writer = writerOf(producerId);
      if (!writer || writer === nodeId || (await streams.isAlive(writer))) continue;
      if (!(await streams.reserve(producerId, nodeId, DRAIN_DEADLINE_MS))) continue;
      await this.#sendOn(producerId, writer).catch((err: unknown) => {
        const { outbox, log } = this.#options;
        outbox.metrics.takenOver.inc({ outcome: "failed" });
        log.warn(
          { err, producer: producerId, runbook: "region-outbox" },
          "a dead node's stream could not be sent on yet",
        );
      });
    }
  }

  async #sendOn(producerId: ProducerId, writer: NodeId): Promise<void> {
    const { outbox, streams, clock, log } = this.#options;
    // First, so that nothing is written behind what is read, and then forgotten with the stream.
    await streams.fence(producerId);
    const { entries, unreadable } = await streams.read(producerId);
    if (unreadable) {
      log.error(
        { producer: producerId, entries: entries.length, runbook: "region-outbox" },
        "a dead node's stream can't be read to its end: the rest of it is left out",
      );
    }
    const [name, incarnation] = nameOf(producerId);
    const shard = outbox.takenOver(takenOverProducer(name, incarnation, entries), async () => {
      // With its last stream all that the node wrote is at the core, and its players are free.
      const others = (await streams.list()).filter((other) => other !== producerId);
      return others.some((other) => writerOf(other) === writer) ? undefined : writer;
    });
    const late = new AbortController();
    const cancelLate = clock.after(DRAIN_DEADLINE_MS, () => late.abort());
    const cancelBeat = clock.every(BEAT_MS, () => shard.step({ type: "due" }));
    try {
      shard.step({ type: "due" });
      await shard.drained(AbortSignal.any([late.signal, this.#stopped.signal]));
    } finally {
      cancelLate();
      cancelBeat();
      shard.stop();
    }
    const outcome = unreadable ? "unreadable" : shard.state.phase === "ended" ? "drained" : "late";
    outbox.metrics.takenOver.inc({ outcome });
    log.info(
      { producer: producerId, entries: entries.length, outcome },
      "sent a dead node's stream on",
    );
  }
}

function writerOf(producerId: ProducerId): NodeId | undefined {
  return NodeId.safeParse(producerId.split("/")[0]).data;
}

function nameOf(producerId: ProducerId): readonly [name: string, incarnation: number] {
  const slash = producerId.lastIndexOf("/");
  return [producerId.slice(0, slash), Number(producerId.slice(slash + 1))];
}
