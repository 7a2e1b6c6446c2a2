/**
 * Players' state (class B) on its way from a region's outbox to the core, and back at a load.
 *
 * A document is a JSON object under a player and a collection, such as `stats`. A region changes fields of
 * it under the `stateEpoch` that it was granted when it loaded the player; the core takes a change only
 * from the newest one that was granted.
 */
import { z } from "zod";
import { Epoch } from "../epoch.ts";
import { NodeId, PlayerId } from "../ids.ts";
import { printableText } from "./text.ts";

/** Items of one batch. */
export const BATCH_ITEMS_MAX = 2_000;
/** Bytes of a batch's body. */
export const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes of one document as JSON; a change that makes it larger is refused. */
export const DOCUMENT_BYTES_MAX = 64 * 1024;
/** Collections that one game may use. */
export const COLLECTIONS_MAX = 32;
export const FIELDS_MAX = 256;
/** How long a load may wait for the owner before; then the join fails and may be tried again, ms. */
export const LOAD_WAIT_MS = 10_000;

export const Collection = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}$/, "a collection: a-z, 0-9, _ -");
/** Starts with a letter, so that it is never `__proto__`. */
export const FieldName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, "a field's name");

/** What JSON can say. What comes out of `JSON.parse` is that already. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [k: string]: Json };
const Json = z.custom<Json>((value) => value !== undefined);
const Fields = z.record(FieldName, Json);

/** A document's fields. */
export type Document = Readonly<Record<string, Json>>;

/** Changes of a document's fields; each field is in one of the three at most. */
export const StateChange = z.object({
  playerId: PlayerId,
  stateEpoch: Epoch,
  collection: Collection,
  /** Which version of the collection's form the game wrote. */
  format: z.int().positive(),
  set: Fields.optional(),
  /** Whole numbers; a field that is not there, or is no number, counts as 0. */
  add: z.record(FieldName, z.int()).optional(),
  unset: z.array(FieldName).max(FIELDS_MAX).optional(),
});
export type StateChange = z.infer<typeof StateChange>;

/** The owner has left the player: nothing of that epoch comes after it. */
export const ReleaseMarker = z.object({
  playerId: PlayerId,
  stateEpoch: Epoch,
  release: z.literal(true),
});
export type ReleaseMarker = z.infer<typeof ReleaseMarker>;

export const OutboxItem = z.union([StateChange, ReleaseMarker]);
export type OutboxItem = z.infer<typeof OutboxItem>;

/** One life of an outbox: `node/shard/incarnation`. Its sequence starts at 1. */
export const ProducerId = z
  .string()
  .regex(/^[a-z0-9-]{1,64}\/\d{1,2}\/\d{1,9}$/)
  .brand<"ProducerId">();
export type ProducerId = z.infer<typeof ProducerId>;

const sequence = z.int().nonnegative();

/**
 * `POST /link/batch`: everything from `fromSeq` to `toSeq`, merged. One without items (`toSeq` below
 * `fromSeq`) only asks how far the core is.
 */
export const BatchRequest = z.object({
  producerId: ProducerId,
  fromSeq: sequence.min(1),
  toSeq: sequence,
  /** What lies between `lastSeq` and `fromSeq` is lost: a restored core had it flushed before. */
  skips: z.boolean().optional(),
  items: z.array(OutboxItem).max(BATCH_ITEMS_MAX),
});
export type BatchRequest = z.infer<typeof BatchRequest>;

const standing = {
  /** The newest that was applied. */
  lastSeq: sequence,
  /** What was applied and can't be lost any more. */
  flushedSeq: sequence,
  /** Rises when the core was restored or promoted: it may have forgotten what it had applied. */
  coreTerm: z.int().positive(),
};

export const BatchAnswer = z.discriminatedUnion("outcome", [
  /** `refused`: how many of the items; they are kept for an operator. */
  z.object({ outcome: z.literal("applied"), ...standing, refused: z.int().nonnegative() }),
  /** `fromSeq` is not the one after `lastSeq`: nothing was applied. */
  z.object({ outcome: z.literal("out_of_sequence"), ...standing }),
  /** Nothing of this producer is applied any more. */
  z.object({ outcome: z.literal("closed"), ...standing }),
]);
export type BatchAnswer = z.infer<typeof BatchAnswer>;

/**
 * `POST /link/outbox/close`: after it nothing of that producer is applied. Idempotent. Answered only when the
 * closing itself can't be lost any more: what a promotion opened again would be applied twice.
 */
export const CloseProducerRequest = z.object({
  producerId: ProducerId,
  /** Its node is dead and this was all of it: players whom the node held are free. */
  drainedNode: NodeId.optional(),
});
export type CloseProducerRequest = z.infer<typeof CloseProducerRequest>;
export const CloseProducerAnswer = z.object(standing);
export type CloseProducerAnswer = z.infer<typeof CloseProducerAnswer>;

/**
 * `POST /link/players/load`: to own a player's state for a session. Idempotent by `loadId`. A grant is told only
 * when it can't be lost any more: else a promotion would give the player to two, and refuse what one wrote.
 */
export const LoadRequest = z.object({
  loadId: printableText(64).min(8),
  nodeId: NodeId,
  playerId: PlayerId,
  sessionEpoch: Epoch,
  collections: z.array(Collection).max(COLLECTIONS_MAX),
});
export type LoadRequest = z.infer<typeof LoadRequest>;

export const StoredDocument = z.object({
  collection: Collection,
  format: z.int().positive(),
  /** Counts the batches that changed it. */
  version: z.int().positive(),
  fields: Fields,
});
export type StoredDocument = z.infer<typeof StoredDocument>;

export const LoadAnswer = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("granted"),
    stateEpoch: Epoch,
    documents: z.array(StoredDocument).max(COLLECTIONS_MAX),
  }),
  /** The owner before has not released the player yet: ask again after this, ms. */
  z.object({
    outcome: z.literal("wait"),
    retryAfterMs: z.int().positive(),
    /** The epoch under which the core takes the node that asks for that owner. */
    yours: Epoch.optional(),
  }),
]);
export type LoadAnswer = z.infer<typeof LoadAnswer>;
