/**
 * Players' state at the core: takes outboxes' batches, closes outboxes, and grants players to nodes.
 *
 * Each is one transaction. Batches run a few at a time, for they take most of what the database can do;
 * so many wait, and more are told to come back. One that is refused for that, or whose answer is lost, is
 * sent again and has its effect once.
 */
import type { Logger } from "pino";
import { BoundedQueue } from "../../shared/bounded-queue.ts";
import type { Clock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { NodeId, RegionId } from "../../shared/ids.ts";
import { Gauge, type Metrics } from "../../shared/metrics.ts";
import type {
  BatchAnswer,
  BatchRequest,
  CloseProducerAnswer,
  CloseProducerRequest,
  LoadAnswer,
  LoadRequest,
  WantedPlayer,
} from "../../shared/protocol/player-state.ts";
import type { Database, Tx } from "../db/database.ts";
import { isDeadlock } from "../db/failures.ts";
import type { CallGate } from "../http/call-gate.ts";
import type { BatchDecision } from "./applier-step.ts";
import { type AppliedBatch, applyInTransaction, RowsChanged, type Sender } from "./batch-apply.ts";
import { DocumentCache } from "./document-cache.ts";
import { FlushWatermark } from "./flush-watermark.ts";
import { type Loaded, loadInTransaction } from "./load-players.ts";
import type { OwnerLives } from "./owner-lives.ts";
import * as owners from "./owner-store.ts";
import type { Ownership } from "./ownership-step.ts";
import type { RefusedChanges } from "./refused-changes.ts";
import { Releases } from "./releases.ts";
import { StateMetrics } from "./state-metrics.ts";
import * as store from "./sync-store.ts";

/** More at a time do not get more done on two cores, and take connections from everything else. */
const BATCHES_RUNNING_MAX = 4;
/** Each holds its items, up to 4 MiB of JSON. */
const BATCHES_WAITING_MAX = 32;
const BATCH_DEADLINE_MS = 4_000;
const BATCH_RETRY_AFTER_MS = 250;
const LOAD_RETRY_AFTER_MS = 60;
/** About 64 MiB: the documents of 40,000 players whose each has 800 characters. */
const CACHED_CHARACTERS_MAX = 32 * 1024 * 1024;
/** Of transactions that met another's rows in the wrong order or at the wrong moment. */
const ATTEMPTS_MAX = 4;

export interface PlayerStatesDeps {
  readonly database: Database;
  readonly lives: OwnerLives;
  readonly refused: RefusedChanges;
  readonly loadGate: CallGate;
  readonly coreTerm: () => number;
  /** Tells a node, if it lives, that another session waits for a player whom it owns. Never throws. */
  readonly wanted: (nodeId: NodeId, player: WantedPlayer) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class PlayerStates {
  readonly #deps: PlayerStatesDeps;
  readonly #queue: BoundedQueue;
  readonly #metrics: StateMetrics;
  readonly #cache = new DocumentCache(CACHED_CHARACTERS_MAX);
  readonly #releases: Releases;
  readonly #watermark: FlushWatermark;

  constructor(deps: PlayerStatesDeps) {
    this.#deps = deps;
    this.#metrics = new StateMetrics(deps.metrics);
    this.#releases = new Releases(deps.clock);
    const { database, clock, log, metrics } = deps;
    const awaitFlushed = () => store.awaitFlushed(database);
    this.#watermark = new FlushWatermark({ awaitFlushed, clock, log, metrics });
    const queue = new BoundedQueue({
      name: "batches",
      runningMax: BATCHES_RUNNING_MAX,
      waitingMax: BATCHES_WAITING_MAX,
      deadlineMs: BATCH_DEADLINE_MS,
      clock: deps.clock,
    });
    this.#queue = queue;
    new Gauge({
      name: "meridian_state_batches_waiting",
      help: "Batches of players' state that wait for their turn.",
      registers: [deps.metrics],
      collect() {
        this.set(queue.waiting);
      },
    });
  }

  /** Asks the database no more. */
  stop(): void {
    this.#watermark.stop();
  }

  /** @throws {MeridianError} `unavailable`, `timeout`: nothing is known then, and it is sent again */
  async applyBatch(sender: Sender, batch: BatchRequest): Promise<BatchAnswer> {
    try {
      if (this.#queue.waiting >= BATCHES_WAITING_MAX) throw tooManyBatches();
      const { decision, here } = await this.#queue.run(() => this.#applyNow(sender, batch));
      this.#metrics.batch(decision.outcome);
      const { producerId } = batch;
      const { lastSeq } = decision;
      const flushedSeq = here ? this.#watermark.flushedSeqOf(producerId, lastSeq) : lastSeq;
      const standing = this.#standing(lastSeq, flushedSeq);
      if (decision.outcome !== "applied") return { outcome: decision.outcome, ...standing };
      this.#metrics.items(batch.items.length, decision.refused);
      if (decision.refused.length > 0) this.#noteRefused(batch, decision);
      const refusedPlayers = [...new Set(decision.refused.map(({ item }) => item.playerId))];
      const refused = decision.refused.length;
      const applied = { outcome: "applied", ...standing, refused } as const;
      return refusedPlayers.length > 0 ? { ...applied, refusedPlayers } : applied;
    } catch (error) {
      this.#metrics.batch(isFailure(error) ? error.kind : "internal");
      throw error;
    }
  }

  /** After it nothing of that producer is applied. */
  async closeProducer(
    sender: Sender,
    { producerId, drainedNode }: CloseProducerRequest,
  ): Promise<CloseProducerAnswer> {
    const { clock, log, lives } = this.#deps;
    const { regionId } = sender;
    const at = new Date(clock.nowMs());
    // A node that heartbeats still holds its players, whoever says otherwise.
    const gone = drainedNode !== undefined && !lives.isAlive(drainedNode) ? drainedNode : undefined;
    const { lastSeq, freed } = await this.#transaction(async (tx) => ({
      lastSeq: await store.closeProducer(tx, { producerId, regionId }, at),
      freed: gone ? await owners.freePlayersOfNode(tx, { regionId, nodeId: gone }, at) : 0,
    }));
    log.info({ producerId, lastSeq, drainedNode, freed }, "an outbox was closed");
    // This commit waited for the standby, where there is one: it has all that came before as well.
    return this.#standing(lastSeq, lastSeq);
  }

  /**
   * @throws {MeridianError} `session_taken_over`, `account_deleted`, `conflict`, `unavailable`; `forbidden`
   *   for a session that was never granted
   */
  async load(from: RegionId, request: LoadRequest): Promise<LoadAnswer> {
    const [answer] = await this.loadMany(from, [request]);
    if (!answer) throw new Error("a load was left out");
    if (answer instanceof MeridianError) throw answer;
    return answer;
  }

  /**
   * Each as by `load`, in their order; in one transaction.
   * @param holdMs how long it waits for former owners before it answers so; then those are looked at once more
   * @throws {MeridianError} `unavailable`, for all of them
   */
  async loadMany(
    from: RegionId,
    requests: readonly LoadRequest[],
    holdMs = 0,
  ): Promise<(LoadAnswer | MeridianError)[]> {
    const watch = this.#releases.watch();
    try {
      const answers = await this.#loadNow(from, requests);
      const waiting = requests.filter((_, index) => isWait(answers[index]));
      if (waiting.length === 0 || holdMs === 0) return answers;
      await watch.all(
        waiting.map(({ playerId }) => playerId),
        holdMs,
      );
      const again = (await this.#loadNow(from, waiting)).values();
      return answers.map((answer) => (isWait(answer) ? (again.next().value ?? answer) : answer));
    } finally {
      watch.end();
    }
  }

  async #loadNow(
    from: RegionId,
    requests: readonly LoadRequest[],
  ): Promise<(LoadAnswer | MeridianError)[]> {
    const { clock, lives, coreTerm, loadGate } = this.#deps;
    try {
      const loaded = await loadGate.run(() =>
        this.#transaction((tx) =>
          loadInTransaction(tx, requests, {
            regionId: from,
            coreTerm: coreTerm(),
            mayWrite: (nodeId) => lives.mayWrite(nodeId),
            at: new Date(clock.nowMs()),
          }),
        ),
      );
      return requests.map((request, index) => this.#answerTo(request, loaded[index]));
    } catch (error) {
      for (const _ of requests) this.#metrics.load(isFailure(error) ? error.kind : "internal");
      throw error;
    }
  }

  #answerTo(request: LoadRequest, loaded: Loaded | undefined): LoadAnswer | MeridianError {
    if (!loaded) throw new Error("a load was left out");
    const { decision, documents } = loaded;
    if (decision.outcome === "wait") {
      this.#metrics.load("wait");
      return this.#waitFor(decision.owner, request);
    }
    if (decision.outcome !== "granted") {
      const refusal = refusalOf(decision.outcome);
      this.#metrics.load(refusal.kind);
      return refusal;
    }
    this.#metrics.load(decision.isNew ? "granted" : "repeated");
    const { stateEpoch } = decision.owner;
    return { outcome: "granted", stateEpoch, documents: [...documents] };
  }

  /** An owner that lives may not know that it is one: an answer got lost on its way there. */
  #waitFor(owner: Ownership, { nodeId, playerId, sessionEpoch }: LoadRequest): LoadAnswer {
    const wait = { outcome: "wait", retryAfterMs: LOAD_RETRY_AFTER_MS } as const;
    const { stateEpoch } = owner;
    if (owner.nodeId === nodeId) return { ...wait, yours: stateEpoch };
    this.#deps.wanted(owner.nodeId, { playerId, sessionEpoch, stateEpoch });
    return wait;
  }

  async #applyNow(sender: Sender, batch: BatchRequest): Promise<AppliedBatch> {
    const { clock, coreTerm } = this.#deps;
    const beganMs = clock.monotonicMs();
    const cache = this.#cache;
    const context = { sender, coreTerm: coreTerm(), at: new Date(clock.nowMs()), cache };
    const applied = await this.#transaction((tx) => applyInTransaction(tx, batch, context));
    const { decision } = applied;
    if (decision.outcome === "applied") {
      for (const one of decision.documents) cache.put(one);
      const releases = batch.items.filter((item) => "release" in item);
      this.#releases.note(new Set(releases.map(({ playerId }) => playerId)));
    }
    this.#metrics.applied(clock.monotonicMs() - beganMs);
    return applied;
  }

  async #transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#deps.database.transaction(work);
      } catch (error) {
        const passing = error instanceof RowsChanged || isDeadlock(error);
        if (!passing) throw error;
        if (attempt === ATTEMPTS_MAX) {
          throw new MeridianError("unavailable", {
            message: "Others change the same players at this moment.",
            cause: error,
            retryAfterMs: BATCH_RETRY_AFTER_MS,
          });
        }
      }
    }
  }

  #noteRefused(batch: BatchRequest, { refused }: BatchDecision & { outcome: "applied" }): void {
    this.#deps.refused.note({
      producerId: batch.producerId,
      refused: refused.length,
      reason: refused[0]?.reason,
    });
  }

  #standing(lastSeq: number, flushedSeq: number) {
    return { lastSeq, flushedSeq, coreTerm: this.#deps.coreTerm() };
  }
}

function isWait(answer: LoadAnswer | MeridianError | undefined): boolean {
  return !!answer && !(answer instanceof MeridianError) && answer.outcome === "wait";
}

function refusalOf(outcome: "taken_over" | "conflict" | "never_granted" | "gone"): MeridianError {
  switch (outcome) {
    case "taken_over":
      return new MeridianError("session_taken_over");
    case "conflict":
      return new MeridianError("conflict");
    case "gone":
      return new MeridianError("account_deleted");
    case "never_granted":
      return new MeridianError("forbidden", { message: "The core never granted such a session." });
  }
}

function tooManyBatches(): MeridianError {
  return new MeridianError("unavailable", {
    message: "Too many batches wait.",
    retryAfterMs: BATCH_RETRY_AFTER_MS,
  });
}
