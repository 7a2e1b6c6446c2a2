/**
 * Players' state (class B) on its way from a region's outbox to the core, and back at a load.
 *
 * A document is a JSON object under a player and a collection, such as `stats`. A region changes fields of
 * it under the `stateEpoch` that it was granted when it loaded the player; the core takes a change only
 * from the newest one that was granted.
 */
import { z } from "zod";
import { Epoch } from "../epoch.ts";
import { ErrorBody } from "../errors.ts";
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
export const FORMAT_MAX = 1_000_000;
/** How long a load may wait for the owner before; then the join fails and may be tried again, ms. */
export const LOAD_WAIT_MS = 10_000;

export const Collection = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,31}$/, "a collection: a-z, 0-9, _ -");
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
/** Not the name of something that every object has, such as `constructor`. */
export const FieldName = z.string().refine(isFieldName, "a field's name: A-Z, a-z, 0-9, _ -");

function isFieldName(name: string): boolean {
  return FIELD_NAME.test(name) && !(name in Object.prototype);
}

/** What JSON can say. What comes out of `JSON.parse` is that already. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [k: string]: Json };
/** Checked by hand, because a batch has thousands: with `z.record` an item took 5.5 µs, so it takes 3.4. */
function fieldsOf<Value>(isValue: (value: unknown) => boolean, message: string) {
  return z.custom<Record<string, Value>>((fields) => {
    if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return false;
    for (const [name, value] of Object.entries(fields)) {
      if (!isFieldName(name) || !isValue(value)) return false;
    }
    return true;
  }, message);
}

const Fields = fieldsOf<Json>((value) => value !== undefined, "values by fields' names");
const Amounts = fieldsOf<number>(Number.isSafeInteger, "whole numbers by fields' names");
const Format = z.int().positive().max(FORMAT_MAX);

/** A document's fields. */
export type Document = Readonly<Record<string, Json>>;

/** Changes of a document's fields; each field is in one of the three at most. */
export const StateChange = z.object({
  playerId: PlayerId,
  stateEpoch: Epoch,
  collection: Collection,
  /** Which version of the collection's form the game wrote. */
  format: Format,
  set: Fields.optional(),
  /** Whole numbers; a field that is not there, or is no number, counts as 0. */
  add: Amounts.optional(),
  /** More than a document may have, where many changes were merged. */
  unset: z.array(FieldName).optional(),
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
export const BatchRequest = z
  .object({
    producerId: ProducerId,
    fromSeq: sequence.min(1),
    toSeq: sequence,
    /** What lies between `lastSeq` and `fromSeq` is lost: a restored core had it flushed before. */
    skips: z.boolean().optional(),
    items: z.array(OutboxItem).max(BATCH_ITEMS_MAX),
  })
  .refine(({ fromSeq, toSeq, items }) => {
    return items.length > 0 ? toSeq >= fromSeq : toSeq >= fromSeq - 1;
  }, "a batch's items need a place in the sequence");
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
  z.object({
    outcome: z.literal("applied"),
    ...standing,
    refused: z.int().nonnegative(),
    /** Whose changes those were. */
    refusedPlayers: z.array(PlayerId).max(BATCH_ITEMS_MAX).optional(),
  }),
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
  format: Format,
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

/** More players of one room are asked for by another call. */
export const LOADS_PER_CALL_MAX = 100;
/** Bytes of documents in one answer, but for a single one: whoever is past it is `unavailable`, and asked for again. */
export const LOADS_BYTES_MAX = 2 * 1024 * 1024;

/** `POST /link/players/load-many`: the players of a room that goes on at a node, each as if it were asked for alone. */
export const LoadManyRequest = z.object({
  nodeId: NodeId,
  loads: z.array(LoadRequest.omit({ nodeId: true })).max(LOADS_PER_CALL_MAX),
});
export type LoadManyRequest = z.infer<typeof LoadManyRequest>;

/** In the order of the loads. */
export const LoadManyAnswer = z.object({
  answers: z.array(z.union([LoadAnswer, ErrorBody])).max(LOADS_PER_CALL_MAX),
});
export type LoadManyAnswer = z.infer<typeof LoadManyAnswer>;

/**
 * `POST /link/wanted`, from the core to a node: a newer session waits for a player whom the node owns under
 * that epoch, as far as the core knows.
 */
export const WantedPlayer = z.object({
  playerId: PlayerId,
  /** Of the session that waits. */
  sessionEpoch: Epoch,
  stateEpoch: Epoch,
});
export type WantedPlayer = z.infer<typeof WantedPlayer>;
