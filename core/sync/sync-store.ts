/** Rows that a batch touches: the producer's, owners, documents. One function a statement. */
import type { Epoch } from "../../shared/epoch.ts";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import type { Document, ProducerId, StoredDocument } from "../../shared/protocol/player-state.ts";
import type { Sql, Tx } from "../db/database.ts";
import type {
  Checkpoint,
  DocumentRow,
  OwnedPlayer,
  Standing,
  WrittenDocument,
} from "./applier-step.ts";

export interface DocumentId {
  readonly playerId: PlayerId;
  readonly collection: string;
}

export interface KnownProducer extends Checkpoint {
  /** Whether something of a newer incarnation of its outbox was applied. */
  readonly outlived: boolean;
  /** Whether commits wait for a standby. */
  readonly replicated: boolean;
}

interface ProducerRow {
  readonly last_seq: number;
  readonly closed: boolean;
  readonly outlived: boolean;
  readonly replicated: boolean;
}

/** The producer's row, which stays with this transaction; undefined when there is none yet. */
export async function lockProducer(
  tx: Tx,
  producerId: ProducerId,
): Promise<KnownProducer | undefined> {
  const rows = await tx.rows<ProducerRow>(
    `select last_seq, closed_at is not null as closed,
       current_setting('synchronous_standby_names') <> '' as replicated, exists (
       select from producers n
       where n.outbox = p.outbox and n.incarnation > p.incarnation and n.last_seq > 0) as outlived
     from producers p where producer_id = $1 for no key update`,
    [producerId],
  );
  const row = rows[0];
  if (!row) return undefined;
  const { last_seq: lastSeq, closed, outlived, replicated } = row;
  return { lastSeq, closed, outlived, replicated };
}

/** This transaction's commit is answered when it is on the disk here, and not later at the standby. */
export async function commitHere(tx: Tx): Promise<void> {
  await tx.run("set local synchronous_commit = local");
}

/**
 * When it has returned, all that was committed before is flushed as a synchronous commit would be: at the standby
 * too, where commits wait for it. It writes to the log, and nothing else.
 */
export async function awaitFlushed(sql: Sql): Promise<void> {
  await sql.run("select pg_logical_emit_message(true, 'meridian', 'flushed')");
}

/** One that is being made at this moment by another is waited for. */
export async function insertProducer(
  tx: Tx,
  producer: { readonly producerId: ProducerId; readonly regionId: RegionId },
  at: Date,
): Promise<void> {
  await tx.run(
    `insert into producers (producer_id, region_id, last_seq, updated_at) values ($1, $2, 0, $3)
     on conflict (producer_id) do nothing`,
    [producer.producerId, producer.regionId, at],
  );
}

export async function writeCheckpoint(
  tx: Tx,
  producerId: ProducerId,
  lastSeq: number,
  at: Date,
): Promise<void> {
  await tx.run("update producers set last_seq = $2, updated_at = $3 where producer_id = $1", [
    producerId,
    lastSeq,
    at,
  ]);
}

/** Closes it, made or not. @returns the newest that was applied */
export async function closeProducer(
  tx: Tx,
  producer: { readonly producerId: ProducerId; readonly regionId: RegionId },
  at: Date,
): Promise<number> {
  const rows = await tx.rows<{ last_seq: number }>(
    `insert into producers as p (producer_id, region_id, last_seq, closed_at, updated_at)
     values ($1, $2, 0, $3, $3)
     on conflict (producer_id) do update
       set closed_at = coalesce(p.closed_at, excluded.closed_at), updated_at = excluded.updated_at
     returning last_seq`,
    [producer.producerId, producer.regionId, at],
  );
  return rows[0]?.last_seq ?? 0;
}

/** Locked in one order by all, so that no two batches wait for each other. */
export async function lockOwners(
  tx: Tx,
  playerIds: readonly PlayerId[],
): Promise<Map<PlayerId, OwnedPlayer & { readonly regionId: RegionId }>> {
  const rows = await tx.rows<{
    player_id: PlayerId;
    region_id: RegionId;
    epoch_term: number;
    epoch_n: number;
    standing: Standing;
  }>(
    `select o.player_id, o.region_id, o.epoch_term, o.epoch_n, o.standing
     from unnest($1::uuid[]) as d (player_id), lateral
       (select player_id, region_id, epoch_term, epoch_n, standing from player_owners
        where player_id = d.player_id for no key update) o`,
    [[...playerIds].sort()],
  );
  return new Map(
    rows.map(({ player_id, region_id, epoch_term, epoch_n, standing }) => [
      player_id,
      { stateEpoch: [epoch_term, epoch_n], standing, regionId: region_id },
    ]),
  );
}

/** Those that there are; the lock keeps their accounts from being deleted meanwhile, and nothing else. */
export async function lockPlayers(tx: Tx, playerIds: readonly PlayerId[]): Promise<PlayerId[]> {
  const rows = await tx.rows<{ id: PlayerId }>(
    "select id from players where id = any($1::uuid[]) order by id for key share",
    [playerIds],
  );
  return rows.map(({ id }) => id);
}

/** Fields come as text, which is parsed here once: the driver would do it as well, and no better. */
export async function selectDocuments(
  sql: Sql,
  ids: readonly DocumentId[],
): Promise<DocumentRow[]> {
  const rows = await sql.rows<RawDocument>(
    `select p.player_id, p.collection, p.format, p.version, p.fields::text as fields
     from unnest($1::uuid[], $2::text[]) as d (player_id, collection), lateral
       (select player_id, collection, format, version, fields from player_documents
        where player_id = d.player_id and collection = d.collection offset 0) p`,
    [ids.map(({ playerId }) => playerId), ids.map(({ collection }) => collection)],
  );
  return rows.map(documentOf);
}

/** A player's documents: of those collections, or all. */
export async function documentsOf(
  sql: Sql,
  playerId: PlayerId,
  collections?: readonly string[],
): Promise<StoredDocument[]> {
  const rows = await sql.rows<RawDocument>(
    `select player_id, collection, format, version, fields::text as fields from player_documents
     where player_id = $1 and ($2::text[] is null or collection = any($2)) order by collection`,
    [playerId, collections ?? null],
  );
  return rows.map((row) => {
    const { playerId: _, ...document } = documentOf(row);
    return document;
  });
}

/** False when one is not of the version any more that it was made from. */
export async function writeDocuments(
  tx: Tx,
  documents: readonly WrittenDocument[],
  at: Date,
): Promise<boolean> {
  const written = await tx.run(
    `insert into player_documents as p (player_id, collection, format, version, fields, updated_at)
     select player_id, collection, format, version, fields::jsonb, $6
     from unnest($1::uuid[], $2::text[], $3::integer[], $4::bigint[], $5::text[])
       as d (player_id, collection, format, version, fields)
     on conflict (player_id, collection) do update set format = excluded.format,
       version = excluded.version, fields = excluded.fields, updated_at = excluded.updated_at
       where p.version = excluded.version - 1`,
    [
      documents.map(({ playerId }) => playerId),
      documents.map(({ collection }) => collection),
      documents.map(({ format }) => format),
      documents.map(({ version }) => version),
      documents.map(({ text }) => text),
      at,
    ],
  );
  return written === documents.length;
}

/**
 * Owners as a batch leaves them. One of a newer epoch than was known has a load that the database has
 * forgotten; its node is the producer's. False when one has a newer owner by now, which can be only where
 * there was none to lock.
 */
export async function writeOwners(
  tx: Tx,
  owners: ReadonlyMap<PlayerId, OwnedPlayer>,
  by: { readonly nodeId: string; readonly regionId: RegionId },
  at: Date,
): Promise<boolean> {
  const epochs: Epoch[] = [...owners.values()].map(({ stateEpoch }) => stateEpoch);
  const written = await tx.run(
    `insert into player_owners as o
       (player_id, epoch_term, epoch_n, standing, session_term, session_n, node_id, region_id,
        updated_at)
     select player_id, epoch_term, epoch_n, standing, 0, 0, $5, $6, $7
     from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[])
       as d (player_id, epoch_term, epoch_n, standing)
     order by player_id
     on conflict (player_id) do update set
       standing = excluded.standing, updated_at = excluded.updated_at,
       epoch_term = excluded.epoch_term, epoch_n = excluded.epoch_n,
       load_id = case when (o.epoch_term, o.epoch_n) = (excluded.epoch_term, excluded.epoch_n)
         then o.load_id end,
       node_id = case when (o.epoch_term, o.epoch_n) = (excluded.epoch_term, excluded.epoch_n)
         then o.node_id else excluded.node_id end,
       region_id = case when (o.epoch_term, o.epoch_n) = (excluded.epoch_term, excluded.epoch_n)
         then o.region_id else excluded.region_id end
     where (o.epoch_term, o.epoch_n) <= (excluded.epoch_term, excluded.epoch_n)`,
    [
      [...owners.keys()],
      epochs.map(([term]) => term),
      epochs.map(([, n]) => n),
      [...owners.values()].map(({ standing }) => standing),
      by.nodeId,
      by.regionId,
      at,
    ],
  );
  return written === owners.size;
}

interface RawDocument {
  readonly [column: string]: unknown;
  readonly player_id: PlayerId;
  readonly collection: string;
  readonly format: number;
  readonly version: number;
  readonly fields: string;
}

function documentOf({ player_id, collection, format, version, fields }: RawDocument): DocumentRow {
  // Text of a `jsonb` object that was written from a document.
  const parsed = JSON.parse(fields) as Document;
  return { playerId: player_id, collection, format, version, fields: parsed };
}
