/**
 * One batch of an outbox, in one transaction: the producer's row and the owners' rows are locked, the pure
 * step decides, its rows are written by one statement a table.
 *
 * Whoever loads a player takes the same owner's row: either it waits for the batch, and finds its changes,
 * or the batch finds the new owner. A player who has an owner's row is there, because a deletion takes that
 * row first.
 */
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { BatchRequest } from "../../shared/protocol/player-state.ts";
import type { Tx } from "../db/database.ts";
import {
  applyBatch,
  type BatchDecision,
  type BatchRows,
  type DocumentRow,
  documentKey,
  whyNotDue,
} from "./applier-step.ts";
import type { DocumentCache } from "./document-cache.ts";
import { insertRefused } from "./refused-store.ts";
import * as store from "./sync-store.ts";

/** Who sends a batch, as its id and its certificate say. */
export interface Sender {
  readonly nodeId: NodeId;
  readonly regionId: RegionId;
}

/** Undoes the transaction: a row was made meanwhile that was not there to be locked, or written. */
export class RowsChanged extends Error {}

export interface BatchContext {
  readonly sender: Sender;
  readonly coreTerm: number;
  readonly at: Date;
  readonly cache: DocumentCache;
}

export interface AppliedBatch {
  readonly decision: BatchDecision;
  /** Committed here alone: a promotion may lose it, until the standby has it. */
  readonly here: boolean;
}

/**
 * With a standby it is committed here alone: nobody who plays should wait for what is sent again anyway, and
 * its producer keeps it until the standby has it (`flush-watermark.ts`).
 * @throws RowsChanged when it is to be tried again
 */
export async function applyInTransaction(
  tx: Tx,
  batch: BatchRequest,
  context: BatchContext,
): Promise<AppliedBatch> {
  const { outlived, replicated: here, ...checkpoint } = await takeProducer(tx, batch, context);
  if (here) await store.commitHere(tx);
  const { coreTerm } = context;
  const due = !whyNotDue({ checkpoint, outlived }, batch);
  const rows = due ? await lockRows(tx, batch, context) : NO_ROWS;
  const decision = applyBatch({ ...rows, checkpoint, outlived, coreTerm }, batch);
  if (decision.outcome === "applied") await write(tx, batch, decision, context);
  return { decision, here };
}

type PlayersRows = Pick<BatchRows, "players" | "owners" | "elsewhere" | "documents">;

const NO_ROWS: PlayersRows = { players: new Set(), owners: new Map(), documents: new Map() };

async function takeProducer(
  tx: Tx,
  { producerId }: BatchRequest,
  { sender, at }: BatchContext,
): Promise<store.KnownProducer> {
  const known = await store.lockProducer(tx, producerId);
  if (known) return known;
  await store.insertProducer(tx, { producerId, regionId: sender.regionId }, at);
  const made = await store.lockProducer(tx, producerId);
  if (!made) throw new RowsChanged("a producer's row went as soon as it was made");
  return made;
}

async function lockRows(
  tx: Tx,
  { items }: BatchRequest,
  { cache, sender }: BatchContext,
): Promise<PlayersRows> {
  const wanted = new Set<PlayerId>();
  const ids = new Map<string, store.DocumentId>();
  for (const item of items) {
    const { playerId } = item;
    wanted.add(playerId);
    if ("release" in item) continue;
    const { collection } = item;
    ids.set(documentKey(playerId, collection), { playerId, collection });
  }
  if (wanted.size === 0) return NO_ROWS;
  const owners = await store.lockOwners(tx, [...wanted]);
  const players = new Set(owners.keys());
  const elsewhere = new Set<PlayerId>();
  for (const [playerId, { regionId }] of owners) {
    if (regionId !== sender.regionId) elsewhere.add(playerId);
  }
  const unowned = [...wanted].filter((playerId) => !owners.has(playerId));
  if (unowned.length > 0) {
    for (const playerId of await store.lockPlayers(tx, unowned)) players.add(playerId);
  }
  const documents = new Map<string, DocumentRow>();
  for (const [key, { playerId }] of ids) {
    const cached = owners.has(playerId) ? cache.get(key) : undefined;
    if (!cached) continue;
    documents.set(key, cached);
    ids.delete(key);
  }
  // Only now: what a statement sees is from when it began, and that must be after the locks.
  const stored = ids.size > 0 ? await store.selectDocuments(tx, [...ids.values()]) : [];
  for (const row of stored) documents.set(documentKey(row.playerId, row.collection), row);
  return { players, owners, elsewhere, documents };
}

async function write(
  tx: Tx,
  { producerId, toSeq }: BatchRequest,
  decision: BatchDecision & { readonly outcome: "applied" },
  { sender, at, cache }: BatchContext,
): Promise<void> {
  const { documents, owners, lastSeq } = decision;
  // What a player's deletion has taken along does not come back.
  const refused = decision.refused.filter(({ reason }) => reason !== "no_such_player");
  if (owners.size > 0 && !(await store.writeOwners(tx, owners, sender, at))) {
    throw new RowsChanged("a player was loaded meanwhile");
  }
  if (documents.length > 0 && !(await store.writeDocuments(tx, documents, at))) {
    for (const { playerId, collection } of documents) {
      cache.forget(documentKey(playerId, collection));
    }
    throw new RowsChanged("a document was written by another core");
  }
  if (refused.length > 0) await insertRefused(tx, { producerId, toSeq }, refused, at);
  await store.writeCheckpoint(tx, producerId, lastSeq, at);
}
