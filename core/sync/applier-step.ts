/**
 * What a batch of players' state changes. Pure: the rows that it touches, locked by the caller, go in; the
 * rows to write come out.
 *
 * A producer's batches are applied exactly in sequence, each in one transaction with the producer's
 * checkpoint: whatever is sent again, in whichever cuts, has its effect once. A change counts when its
 * epoch is the newest that was granted for the player. One that is newer than the core remembers was granted
 * by a database that the core has lost since, and is the newest as well: after such a loss the term rises
 * before anything is granted. What is refused is kept, with the reason, for an operator to look at.
 */
import { compareEpochs, EPOCH_NONE, type Epoch } from "../../shared/epoch.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { changed } from "../../shared/player-state/change.ts";
import { isStorable } from "../../shared/player-state/storable.ts";
import {
  type BatchRequest,
  DOCUMENT_BYTES_MAX,
  type Document,
  FIELDS_MAX,
  type OutboxItem,
  type ReleaseMarker,
  type StateChange,
} from "../../shared/protocol/player-state.ts";

export interface Checkpoint {
  readonly lastSeq: number;
  readonly closed: boolean;
}

/**
 * `held` by its owner; `freed` when the owner is gone without a word, so that another may load the player,
 * but until then what it wrote counts, and makes it the owner again; `released` by the owner itself, after
 * which nothing of it counts.
 */
export type Standing = "held" | "freed" | "released";

export interface OwnedPlayer {
  readonly stateEpoch: Epoch;
  readonly standing: Standing;
}

export interface DocumentRow {
  readonly playerId: PlayerId;
  readonly collection: string;
  readonly format: number;
  readonly version: number;
  readonly fields: Document;
}

/** One to write, with its fields as JSON too. */
export interface WrittenDocument extends DocumentRow {
  readonly text: string;
}

export interface BatchRows {
  /** Undefined when nothing was ever applied of that producer. */
  readonly checkpoint: Checkpoint | undefined;
  /**
   * Whether something of a newer incarnation of that outbox was applied: this one was closed, even if a restored
   * core has forgotten it, and who sends its stream on brings what is out of date.
   */
  readonly outlived?: boolean;
  readonly coreTerm: number;
  /** Of the items' players those that there are. */
  readonly players: ReadonlySet<PlayerId>;
  readonly owners: ReadonlyMap<PlayerId, OwnedPlayer>;
  /** Whose owner is in another region than the one that sends: what it says in that one's name is not taken. */
  readonly elsewhere?: ReadonlySet<PlayerId>;
  /** By `documentKey`. */
  readonly documents: ReadonlyMap<string, DocumentRow>;
}

export type RefusedBecause =
  /** The player has another owner since. */
  | "superseded"
  /** The owner had released the player before. */
  | "released"
  | "no_such_player"
  /** No core can have granted that epoch yet. */
  | "unknown_epoch"
  /** A value that the database can't keep. */
  | "unstorable"
  | "too_large";

export interface RefusedItem {
  readonly item: StateChange;
  readonly reason: RefusedBecause;
}

export type BatchDecision =
  | { readonly outcome: "out_of_sequence" | "closed"; readonly lastSeq: number }
  | {
      readonly outcome: "applied";
      readonly lastSeq: number;
      /** Those that changed, whole. */
      readonly documents: readonly WrittenDocument[];
      readonly owners: ReadonlyMap<PlayerId, OwnedPlayer>;
      readonly refused: readonly RefusedItem[];
    };

const NOTHING_APPLIED: Checkpoint = { lastSeq: 0, closed: false };

export function documentKey(playerId: PlayerId, collection: string): string {
  return `${playerId}/${collection}`;
}

/** Why nothing of the batch is applied; undefined when it is due, and its rows are to be read. */
export function whyNotDue(
  { checkpoint, outlived }: Pick<BatchRows, "checkpoint" | "outlived">,
  { fromSeq, skips }: BatchRequest,
): "out_of_sequence" | "closed" | undefined {
  const { lastSeq, closed } = checkpoint ?? NOTHING_APPLIED;
  if (closed || outlived) return "closed";
  const isNext = fromSeq === lastSeq + 1 || (skips && fromSeq > lastSeq);
  return isNext ? undefined : "out_of_sequence";
}

export function applyBatch(rows: BatchRows, batch: BatchRequest): BatchDecision {
  const { lastSeq } = rows.checkpoint ?? NOTHING_APPLIED;
  const outcome = whyNotDue(rows, batch);
  if (outcome) return { outcome, lastSeq };
  const writing = new Writing(rows);
  for (const item of batch.items) writing.apply(item);
  // One without items only asks, and lies before its own beginning.
  const newLastSeq = Math.max(lastSeq, batch.toSeq);
  return { outcome: "applied", lastSeq: newLastSeq, ...writing.written() };
}

class Writing {
  readonly #rows: BatchRows;
  readonly #documents = new Map<string, WrittenDocument>();
  readonly #owners = new Map<PlayerId, OwnedPlayer>();
  readonly #refused: RefusedItem[] = [];

  constructor(rows: BatchRows) {
    this.#rows = rows;
  }

  apply(item: OutboxItem): void {
    if ("release" in item) {
      this.#release(item);
      return;
    }
    const reason = this.#admit(item);
    const refused = reason ?? this.#change(item);
    if (refused) this.#refused.push({ item, reason: refused });
  }

  /**
   * Only of the epoch that the core knows. One of an older epoch comes too late. One of a newer: the core
   * has lost that grant, and nothing was changed under it, while the last changes of the owner before may
   * be on their way again.
   */
  #release({ playerId, stateEpoch }: ReleaseMarker): void {
    const owned = this.#owners.get(playerId) ?? this.#rows.owners.get(playerId);
    if (!owned || compareEpochs(stateEpoch, owned.stateEpoch) !== 0) return;
    if (this.#isElsewhere(playerId)) return;
    this.#own(playerId, { stateEpoch, standing: "released" });
  }

  written() {
    return {
      documents: [...this.#documents.values()],
      owners: this.#owners,
      refused: this.#refused,
    };
  }

  #admit({ playerId, stateEpoch }: StateChange): RefusedBecause | undefined {
    if (!this.#rows.players.has(playerId)) return "no_such_player";
    const owned = this.#owners.get(playerId) ?? this.#rows.owners.get(playerId);
    const order = compareEpochs(stateEpoch, owned?.stateEpoch ?? EPOCH_NONE);
    if (order < 0) return "superseded";
    // None is granted before the first.
    if (!owned && order === 0) return "unknown_epoch";
    if (order === 0 && this.#isElsewhere(playerId)) return "superseded";
    if (order === 0 && owned?.standing === "released") return "released";
    if (order === 0 && owned?.standing === "held") return undefined;
    // Of this core's own term it knows all that were granted.
    if (order > 0 && stateEpoch[0] >= this.#rows.coreTerm) return "unknown_epoch";
    // Newer than the core remembers; or an owner that was taken for gone, and lives.
    this.#own(playerId, { stateEpoch, standing: "held" });
    return undefined;
  }

  #change(change: StateChange): RefusedBecause | undefined {
    const key = documentKey(change.playerId, change.collection);
    const before = this.#rows.documents.get(key);
    const written = documentAfter(change, this.#documents.get(key) ?? before, before?.version ?? 0);
    if (typeof written === "string") return written;
    this.#documents.set(key, written);
    return undefined;
  }

  #isElsewhere(playerId: PlayerId): boolean {
    return !this.#owners.has(playerId) && (this.#rows.elsewhere?.has(playerId) ?? false);
  }

  #own(playerId: PlayerId, owned: OwnedPlayer): void {
    this.#owners.set(playerId, owned);
  }
}

/**
 * The document with the change made, or why it is not.
 * @param version that is stored: several changes of one batch raise it once
 */
export function documentAfter(
  change: StateChange,
  before: DocumentRow | undefined,
  version: number,
): WrittenDocument | "unstorable" | "too_large" {
  const { playerId, collection, format, set } = change;
  if (set && !isStorable(set)) return "unstorable";
  const fields = changed(before?.fields ?? {}, change);
  if (countOf(fields) > FIELDS_MAX) return "too_large";
  const text = JSON.stringify(fields);
  if (isOverBytes(text)) return "too_large";
  return { playerId, collection, format, version: version + 1, fields, text };
}

function countOf(fields: Document): number {
  let count = 0;
  for (const _ in fields) count += 1;
  return count;
}

/** A character takes three bytes at most; only what may be too large is measured. */
function isOverBytes(text: string): boolean {
  return text.length * 3 > DOCUMENT_BYTES_MAX && Buffer.byteLength(text) > DOCUMENT_BYTES_MAX;
}
