/**
 * The core: what it answers to regions about players' state. Each call is one transaction, which reads
 * and decides under its locks, commits a moment later, and is answered after that. It may crash in between.
 */
import { documentKey, type OwnedPlayer } from "../../core/sync/applier-step.ts";
import { compareEpochs, EPOCH_NONE, type Epoch, nextEpoch } from "../../shared/epoch.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import type {
  BatchAnswer,
  BatchRequest,
  CloseProducerAnswer,
  CloseProducerRequest,
  LoadRequest,
  ProducerId,
} from "../../shared/protocol/player-state.ts";
import { type CheckpointRow, CoreDatabase, type OwnerRow } from "./core-database.ts";
import type { Documents } from "./truth.ts";
import { COLLECTIONS } from "./truth.ts";
import type { World } from "./world.ts";

const COMMIT_MS_MAX = 6;
const LOAD_RETRY_MS = 60;
/** A node that was silent for so long is given up: others may load its players. */
export const NODE_GONE_MS = 2_500;
const TICK_MS = 500;

export type LoadReply =
  | { readonly outcome: "granted"; readonly stateEpoch: Epoch; readonly documents: Documents }
  | { readonly outcome: "wait"; readonly retryAfterMs: number; readonly yours: Epoch | undefined }
  | { readonly outcome: "takenOver" };

export interface Work<Answer> {
  readonly write?: ((position: number) => void) | undefined;
  readonly answer: Answer;
}

const NO_CHECKPOINT: CheckpointRow = { lastSeq: 0, closed: false, applied: [], closedAt: 0 };

export class CoreModel {
  readonly world: World;
  readonly database: CoreDatabase;
  term = 1;
  down = false;
  /** Another one after each crash: what was under way before is void. */
  life = 1;
  readonly #seenMs = new Map<NodeId, number>();
  /** Checkpoints that a planted bug writes after their batch. */
  readonly #late = new Map<ProducerId, number>();

  constructor(world: World) {
    this.world = world;
    this.database = new CoreDatabase(world.schedule);
    world.truth.onRewind = (undo) => this.database.history.record(undo);
    world.schedule.after(TICK_MS, () => this.#tick());
  }

  heartbeat(nodeId: NodeId, reply: (answer: { coreTerm: number; fenced: boolean }) => void): void {
    this.#seenMs.set(nodeId, this.world.schedule.nowMs);
    reply({ coreTerm: this.term, fenced: this.database.fenced.get(nodeId) === true });
  }

  /** Whatever the node still brings counts only while nobody else has loaded the player. */
  fence(nodeId: NodeId): void {
    if (this.database.fenced.get(nodeId)) return;
    this.world.say(() => `core fences ${nodeId}`);
    this.database.commit(() => this.database.fenced.set(nodeId, true));
    this.world.truth.nodeFenced(nodeId);
  }

  place(playerId: PlayerId, reply: (sessionEpoch: Epoch) => void): void {
    const { sessions } = this.database;
    this.transaction(
      [playerId],
      () => {
        const epoch = nextEpoch(sessions.get(playerId)?.epoch ?? EPOCH_NONE, this.term);
        return { write: () => sessions.set(playerId, { epoch }), answer: epoch };
      },
      (epoch) => {
        this.world.truth.sessionGranted(playerId, epoch);
        reply(epoch);
      },
    );
  }

  load(request: LoadRequest, reply: (answer: LoadReply) => void): void {
    const { rules } = this.world.parts;
    const { playerId, nodeId } = request;
    // From now on it is missed when it falls silent.
    if (!this.#seenMs.has(nodeId)) this.#seenMs.set(nodeId, this.world.schedule.nowMs);
    this.transaction<LoadReply & { grantedAt?: number }>(
      rules.loadsLock ? [playerId] : [],
      () => this.#decideLoad(request),
      (answer, position) => {
        const { grantedAt = position, ...told } = answer;
        if (answer.outcome !== "granted" || !rules.loadsWaitForFlush) reply(told);
        else this.database.whenFlushed(grantedAt, () => reply(told));
      },
    );
  }

  #decideLoad(request: LoadRequest): Work<LoadReply & { grantedAt?: number }> {
    const { world, database } = this;
    const { playerId, nodeId } = request;
    const owner = database.owners.get(playerId);
    const decision = world.parts.decideLoad(
      {
        placedEpoch: database.sessions.get(playerId)?.epoch ?? EPOCH_NONE,
        owner,
        coreTerm: this.term,
        ownerAlive: owner !== undefined && !database.fenced.get(owner.nodeId),
      },
      request,
    );
    if (decision.outcome === "taken_over") return { answer: { outcome: "takenOver" } };
    if (decision.outcome === "conflict") throw new Error("a load's id was used for two");
    if (decision.outcome === "wait") return { answer: this.#wait(request, owner as OwnerRow) };
    const documents = this.documentsOf(playerId);
    const { stateEpoch } = decision.owner;
    const answer = { outcome: "granted", stateEpoch, documents } as const;
    if (!decision.isNew) return { answer: { ...answer, grantedAt: owner?.grantedAt ?? 0 } };
    const write = (position: number) => {
      database.owners.set(playerId, { ...decision.owner, grantedAt: position });
      world.truth.granted({ playerId, nodeId, epoch: stateEpoch, documents, former: owner });
    };
    return { write, answer };
  }

  #wait(request: LoadRequest, owner: OwnerRow): LoadReply {
    const { nodeId, stateEpoch } = owner;
    const own = nodeId === request.nodeId;
    const newer = compareEpochs(request.sessionEpoch, owner.sessionEpoch) > 0;
    if (!own && newer) {
      const wanted = { playerId: request.playerId, sessionEpoch: request.sessionEpoch, stateEpoch };
      this.world.network.fromCore(nodeId, (node) => node.players.wanted(wanted));
    }
    return { outcome: "wait", retryAfterMs: LOAD_RETRY_MS, yours: own ? stateEpoch : undefined };
  }

  batch(batch: BatchRequest, reply: (answer: BatchAnswer) => void): void {
    const { world, database } = this;
    const { rules } = world.parts;
    const { producerId } = batch;
    const [name, incarnation] = nameOf(producerId);
    const players = [...new Set(batch.items.map((item) => item.playerId))];
    this.transaction<{ outcome: BatchAnswer["outcome"]; refused?: number }>(
      rules.batchesLock ? [producerId, name, ...players] : [],
      () => {
        const checkpoint = database.checkpoints.get(producerId);
        const documents = players.flatMap((id) =>
          COLLECTIONS.map((collection) => documentKey(id, collection)),
        );
        const decision = world.parts.applyBatch(
          {
            checkpoint,
            outlived: (database.incarnations.get(name) ?? 0) > incarnation,
            coreTerm: this.term,
            players: new Set(players),
            owners: rowsOf<OwnedPlayer>(players, (id) => database.owners.get(id)),
            documents: rowsOf(documents, (key) => database.documents.get(key)),
          },
          batch,
        );
        if (decision.outcome !== "applied") return { answer: { outcome: decision.outcome } };
        const refused = new Set<unknown>(decision.refused.map(({ item }) => item));
        const write = (position: number) => {
          const { fromSeq, toSeq } = batch;
          world.say(
            () => `core applies ${producerId} ${fromSeq}-${toSeq}: ${JSON.stringify(batch.items)}`,
          );
          for (const row of decision.documents) {
            database.documents.set(documentKey(row.playerId, row.collection), row);
          }
          for (const [playerId, owned] of decision.owners) this.#own(playerId, owned, producerId);
          database.incarnations.set(name, incarnation);
          const row = { lastSeq: decision.lastSeq, position };
          if (rules.checkpointWithBatch) this.#advance(producerId, row);
          else this.#late.set(producerId, decision.lastSeq);
          const accepted = batch.items.filter((item) => !refused.has(item));
          for (const item of accepted) if (!("release" in item)) world.truth.accepted(item);
        };
        // One that changed nothing writes nothing.
        const asks = batch.toSeq < batch.fromSeq;
        const answer = { outcome: "applied", refused: decision.refused.length } as const;
        return { write: asks ? undefined : write, answer };
      },
      (answer) => {
        const lastSeq = this.#late.get(producerId);
        this.#late.delete(producerId);
        if (lastSeq !== undefined) {
          database.commit((position) => this.#advance(producerId, { lastSeq, position }));
        }
        const standing = this.#standing(producerId);
        if (rules.answersAfterCommit) reply({ ...answer, ...standing } as BatchAnswer);
        // As if it were there for good already.
        else reply({ ...answer, ...standing, ...applied(answer.outcome, batch) } as BatchAnswer);
      },
      !rules.answersAfterCommit,
    );
  }

  close(request: CloseProducerRequest, reply: (answer: CloseProducerAnswer) => void): void {
    const { database } = this;
    const { producerId, drainedNode } = request;
    const held = database.owners
      .entries()
      .filter(
        ([, owner]) => drainedNode && owner.nodeId === drainedNode && owner.standing === "held",
      )
      .map(([playerId]) => playerId);
    this.transaction(
      [producerId, ...held],
      () => ({
        answer: undefined,
        write: (position) => {
          const row = database.checkpoints.get(producerId) ?? NO_CHECKPOINT;
          const closedAt = row.closed ? row.closedAt : position;
          database.checkpoints.set(producerId, {
            ...row,
            closed: true,
            closedAt: drainedNode ? position : closedAt,
          });
          this.world.say(() => `core closes ${producerId}, drained ${drainedNode}: ${held}`);
          for (const playerId of held) this.#free(playerId, drainedNode as NodeId);
        },
      }),
      () => {
        const answer = () => reply(this.#standing(producerId));
        const closedAt = database.checkpoints.get(producerId)?.closedAt ?? 0;
        if (this.world.parts.rules.closesWaitForFlush) database.whenFlushed(closedAt, answer);
        else answer();
      },
    );
  }

  documentsOf(playerId: PlayerId): Documents {
    const read = (collection: string) =>
      this.database.documents.get(documentKey(playerId, collection))?.fields ?? {};
    return Object.fromEntries(COLLECTIONS.map((collection) => [collection, read(collection)]));
  }

  transaction<Answer>(
    keys: readonly string[],
    work: () => Work<Answer>,
    reply: (answer: Answer, position: number) => void,
    answersEarly = false,
  ): void {
    const { world, database, life } = this;
    database.lock(keys, () => {
      const { write, answer } = work();
      if (answersEarly) reply(answer, 0);
      world.schedule.after(world.chance.below(COMMIT_MS_MAX), () => {
        if (life !== this.life) return;
        if (write && world.coreCrashes("core: before commit")) return;
        const position = write ? database.commit(write) : 0;
        database.unlock(keys);
        if (write && world.coreCrashes("core: after commit, before its answer")) return;
        if (!answersEarly) reply(answer, position);
      });
    });
  }

  crash(): void {
    this.life += 1;
    this.down = true;
    this.#late.clear();
    this.database.dropSessions();
  }

  restart(): void {
    this.down = false;
    // Everybody gets a grace: none was heard by this life.
    for (const nodeId of this.#seenMs.keys()) this.#seenMs.set(nodeId, this.world.schedule.nowMs);
  }

  #tick(): void {
    this.world.schedule.after(TICK_MS, () => this.#tick());
    if (this.down) return;
    for (const [nodeId, seenMs] of this.#seenMs) {
      if (this.world.schedule.nowMs - seenMs > NODE_GONE_MS) this.fence(nodeId);
    }
  }

  #own(playerId: PlayerId, owned: OwnedPlayer, producerId: ProducerId): void {
    const { owners } = this.database;
    const row = owners.get(playerId);
    if (row && compareEpochs(row.stateEpoch, owned.stateEpoch) === 0) {
      owners.set(playerId, { ...row, standing: owned.standing });
      return;
    }
    const nodeId = producerId.split("/")[0] as NodeId;
    const unknown = { loadId: undefined, sessionEpoch: EPOCH_NONE, nodeId, grantedAt: 0 };
    owners.set(playerId, { ...unknown, ...owned });
  }

  #free(playerId: string, nodeId: NodeId): void {
    const row = this.database.owners.get(playerId);
    if (row?.standing !== "held" || row.nodeId !== nodeId) return;
    this.database.owners.set(playerId, { ...row, standing: "freed" });
  }

  #advance(producerId: ProducerId, { lastSeq, position }: { lastSeq: number; position: number }) {
    const { checkpoints, flushedPosition } = this.database;
    const row = checkpoints.get(producerId) ?? NO_CHECKPOINT;
    const flushedSeq = flushedSeqOf(row, flushedPosition);
    const unflushed = row.applied.filter(({ seq }) => seq >= flushedSeq);
    const applied = [...unflushed, { seq: lastSeq, position }];
    checkpoints.set(producerId, { ...row, lastSeq, applied });
  }

  #standing(producerId: ProducerId): CloseProducerAnswer {
    const row = this.database.checkpoints.get(producerId) ?? NO_CHECKPOINT;
    const flushed = flushedSeqOf(row, this.database.flushedPosition);
    const flushedSeq = this.world.parts.rules.flushedIsFlushed ? flushed : row.lastSeq;
    return { lastSeq: row.lastSeq, flushedSeq, coreTerm: this.term };
  }
}

/** The outbox's shard, and which of its lives. */
function nameOf(producerId: ProducerId): readonly [name: string, incarnation: number] {
  const slash = producerId.lastIndexOf("/");
  return [producerId.slice(0, slash), Number(producerId.slice(slash + 1))];
}

function applied(outcome: BatchAnswer["outcome"], { toSeq }: BatchRequest) {
  return outcome === "applied" ? { lastSeq: toSeq, flushedSeq: toSeq } : {};
}

function flushedSeqOf({ applied }: CheckpointRow, flushedPosition: number): number {
  return applied.findLast(({ position }) => position <= flushedPosition)?.seq ?? 0;
}

function rowsOf<Row>(
  keys: readonly string[],
  get: (key: string) => Row | undefined,
): Map<never, Row> {
  const rows = new Map<string, Row>();
  for (const key of keys) {
    const row = get(key);
    if (row) rows.set(key, row);
  }
  return rows as Map<never, Row>;
}
