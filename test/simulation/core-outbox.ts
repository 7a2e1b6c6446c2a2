/** The core: what outboxes bring, each batch in one transaction with its producer's checkpoint. */
import { documentKey, type OwnedPlayer } from "../../core/sync/applier-step.ts";
import { compareEpochs, EPOCH_NONE } from "../../shared/epoch.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import type {
  BatchAnswer,
  BatchRequest,
  CloseProducerAnswer,
  CloseProducerRequest,
  ProducerId,
} from "../../shared/protocol/player-state.ts";
import type { CheckpointRow } from "./core-database.ts";
import type { CoreModel } from "./core-model.ts";
import { COLLECTIONS } from "./truth.ts";

const NO_CHECKPOINT: CheckpointRow = { lastSeq: 0, closed: false, applied: [], closedAt: 0 };

export function applyItems(
  core: CoreModel,
  batch: BatchRequest,
  reply: (answer: BatchAnswer) => void,
): void {
  const { world, database } = core;
  const { rules } = world.parts;
  const { producerId } = batch;
  const [name, incarnation] = nameOf(producerId);
  const players = [...new Set(batch.items.map((item) => item.playerId))];
  core.transaction<{ outcome: BatchAnswer["outcome"]; refused?: number }>(
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
          coreTerm: core.term,
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
        for (const [playerId, owned] of decision.owners) own(core, playerId, owned, producerId);
        database.incarnations.set(name, incarnation);
        const row = { lastSeq: decision.lastSeq, position };
        if (rules.checkpointWithBatch) advance(core, producerId, row);
        else core.late.set(producerId, decision.lastSeq);
        const accepted = batch.items.filter((item) => !refused.has(item));
        for (const item of accepted) if (!("release" in item)) world.truth.accepted(item);
      };
      // One that changed nothing writes nothing.
      const asks = batch.toSeq < batch.fromSeq;
      const answer = { outcome: "applied", refused: decision.refused.length } as const;
      return { write: asks ? undefined : write, answer };
    },
    (answer) => {
      const lastSeq = core.late.get(producerId);
      core.late.delete(producerId);
      if (lastSeq !== undefined) {
        database.commit((position) => advance(core, producerId, { lastSeq, position }));
      }
      const standing = standingOf(core, producerId);
      if (rules.answersAfterCommit) reply({ ...answer, ...standing } as BatchAnswer);
      // As if it were there for good already.
      else reply({ ...answer, ...standing, ...applied(answer.outcome, batch) } as BatchAnswer);
    },
    !rules.answersAfterCommit,
  );
}

export function closeProducer(
  core: CoreModel,
  request: CloseProducerRequest,
  reply: (answer: CloseProducerAnswer) => void,
): void {
  const { database } = core;
  const { producerId, drainedNode } = request;
  const held = database.owners
    .entries()
    .filter(([, owner]) => drainedNode && owner.nodeId === drainedNode && owner.standing === "held")
    .map(([playerId]) => playerId);
  core.transaction(
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
        core.world.say(() => `core closes ${producerId}, drained ${drainedNode}: ${held}`);
        for (const playerId of held) free(core, playerId, drainedNode as NodeId);
      },
    }),
    () => {
      const answer = () => reply(standingOf(core, producerId));
      const closedAt = database.checkpoints.get(producerId)?.closedAt ?? 0;
      database.whenFlushed(closedAt, answer);
    },
  );
}

function own(
  core: CoreModel,
  playerId: PlayerId,
  owned: OwnedPlayer,
  producerId: ProducerId,
): void {
  const { owners } = core.database;
  const row = owners.get(playerId);
  if (row && compareEpochs(row.stateEpoch, owned.stateEpoch) === 0) {
    owners.set(playerId, { ...row, standing: owned.standing });
    return;
  }
  const nodeId = producerId.split("/")[0] as NodeId;
  const unknown = { loadId: undefined, sessionEpoch: EPOCH_NONE, nodeId, grantedAt: 0 };
  owners.set(playerId, { ...unknown, ...owned });
}

function free(core: CoreModel, playerId: string, nodeId: NodeId): void {
  const row = core.database.owners.get(playerId);
  if (row?.standing !== "held" || row.nodeId !== nodeId) return;
  core.database.owners.set(playerId, { ...row, standing: "freed" });
  const lives = core.world.nodes.get(nodeId)?.dead === false;
  core.world.truth.freed(playerId as PlayerId, row.stateEpoch, lives);
}

function advance(
  core: CoreModel,
  producerId: ProducerId,
  { lastSeq, position }: { lastSeq: number; position: number },
) {
  const { checkpoints, flushedPosition } = core.database;
  const row = checkpoints.get(producerId) ?? NO_CHECKPOINT;
  const flushedSeq = flushedSeqOf(row, flushedPosition);
  const unflushed = row.applied.filter(({ seq }) => seq >= flushedSeq);
  const applied = [...unflushed, { seq: lastSeq, position }];
  checkpoints.set(producerId, { ...row, lastSeq, applied });
}

function standingOf(core: CoreModel, producerId: ProducerId): CloseProducerAnswer {
  const row = core.database.checkpoints.get(producerId) ?? NO_CHECKPOINT;
  const flushed = flushedSeqOf(row, core.database.flushedPosition);
  const flushedSeq = core.world.parts.rules.flushedIsFlushed ? flushed : row.lastSeq;
  return { lastSeq: row.lastSeq, flushedSeq, coreTerm: core.term };
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
