/**
 * A player's documents as a room has them: a working copy, changed at once and written behind.
 *
 * What the core holds follows by changes of fields. `revision` counts the changes, `savedRevision` says up
 * to where they can't be lost any more. A change that the outbox has no room for is refused before it has any
 * effect. Values are copied in and frozen, so that nothing changes unseen.
 */
import type { Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { FieldChanges } from "../../shared/player-state/change.ts";
import type { Document, StoredDocument } from "../../shared/protocol/player-state.ts";
import { copied, requireFieldName } from "./document.ts";
import { type Collections, inFormat } from "./state-collections.ts";
import { type PlannedChange, WorkingCopy } from "./working-copy.ts";

/** A session that wants to own its player's state. */
export interface EnteringSession {
  readonly playerId: PlayerId;
  readonly sessionEpoch: Epoch;
  readonly collections: readonly string[];
  /** Changes up to that revision can't be lost any more. */
  readonly onSaved: (revision: number) => void;
  /** The core may have lost what it had: the whole working copy is to be written. */
  readonly onRewrite: () => void;
}

/** Brings players' documents, and takes what becomes of them. */
export interface StateService {
  /**
   * Resolves once the session owns the player's state: the owner before has released it.
   * @throws {MeridianError} `session_taken_over` by a newer session; `unavailable` when that took too long
   */
  enter(session: EnteringSession): Promise<OwnedState>;
}

/** A player's state in the hands of one session. */
export interface OwnedState {
  readonly documents: readonly StoredDocument[];
  /**
   * @param bytes of the changes as JSON, about
   * @returns the revision that it makes
   * @throws {MeridianError} `outbox_full`, `session_taken_over`: nothing was taken
   */
  change(collection: string, format: number, changes: FieldChanges, bytes: number): number;
  /** As `change`, and taken also past the limits: what the core has forgotten can't wait for room. */
  rewrite(collection: string, format: number, changes: FieldChanges, bytes: number): number;
  /** Nothing more will be changed: the next owner may load the player. */
  leave(): void;
}

/** Of a player whose documents could not be brought: as those of a new one, and unchangeable. */
export const nobodysState: OwnedState = {
  documents: [],
  change() {
    throw new MeridianError("session_taken_over");
  },
  rewrite() {
    throw new MeridianError("session_taken_over");
  },
  leave() {},
};

/** What a change is in an outbox besides the fields that it sets, about. */
const CHANGE_BYTES = 100;

const ADDABLE_MAX = 2 ** 51;

export class PlayerState {
  readonly #collections: Collections;
  readonly #owned: OwnedState;
  readonly #copies = new Map<string, WorkingCopy>();
  #revision = 0;
  #savedRevision = 0;

  /**
   * @throws {MeridianError} `unavailable` for documents that newer code has written; {TypeError} for what a
   *   migration made that is no document
   */
  constructor(collections: Collections, owned: OwnedState) {
    this.#collections = collections;
    this.#owned = owned;
    for (const [name, spec] of Object.entries(collections)) {
      const stored = owned.documents.find(({ collection }) => collection === name);
      const fields = copied(stored ? inFormat(name, spec, stored) : (spec.initial ?? {}));
      const ever = stored ? Object.keys(stored.fields) : [];
      // New or migrated: the core gets it whole, with the first change of it.
      const behind = stored?.format !== spec.format;
      this.#copies.set(name, new WorkingCopy(fields, ever, behind));
    }
  }

  /** The newest change; grows with each. */
  get revision(): number {
    return this.#revision;
  }

  /** Changes up to this one are safe. */
  get savedRevision(): number {
    return this.#savedRevision;
  }

  /** The document as it is now; frozen. */
  get(collection: string): Document {
    return this.#copy(collection).document;
  }

  /**
   * Sets fields, and leaves the others alone.
   * @throws {MeridianError} `outbox_full`; {TypeError} for what is no JSON; {RangeError} past the limits
   */
  set(collection: string, fields: Document): void {
    const copy = this.#copy(collection);
    const set = copied(fields, copy);
    this.#change(collection, { set }, copy.plan(set, []));
  }

  /**
   * Adds a whole number to a field.
   * @returns the field's value after it
   * @throws as `set`
   */
  add(collection: string, field: string, amount: number): number {
    requireFieldName(field);
    const document = this.get(collection);
    const before = Object.hasOwn(document, field) ? document[field] : 0;
    const value = typeof before === "number" ? before + amount : Number.NaN;
    if (![before, amount, value].every(isAddable)) {
      throw new RangeError(`${collection}.${field}: ${before} and ${amount} make no whole number`);
    }
    const plan = this.#copy(collection).plan({ [field]: value }, []);
    this.#change(collection, { add: { [field]: amount } }, plan);
    return value;
  }

  /** Takes fields out. @throws as `set` */
  unset(collection: string, ...fields: readonly string[]): void {
    for (const field of fields) requireFieldName(field);
    const unset = [...new Set(fields)];
    this.#change(collection, { unset }, this.#copy(collection).plan({}, unset));
  }

  /** @internal */
  leave(): void {
    this.#owned.leave();
  }

  /** @internal changes up to `revision` are flushed; @returns whether that is news */
  saved(revision: number): boolean {
    const known = this.#savedRevision;
    this.#savedRevision = Math.max(known, Math.min(revision, this.#revision));
    return this.#savedRevision > known;
  }

  /** @internal the core may have lost what it had: writes every document anew */
  rewrite(): void {
    for (const [name, copy] of this.#copies) {
      if (copy.behind) continue;
      const format = this.#collections[name]?.format ?? 1;
      this.#revision = this.#owned.rewrite(name, format, copy.whole, copy.bytes);
    }
  }

  #copy(collection: string): WorkingCopy {
    const copy = this.#copies.get(collection);
    if (copy) return copy;
    const known = Object.keys(this.#collections).join(", ") || "none";
    throw new TypeError(
      `the room's class has no collection "${collection}" (it has: ${known}): add it to ` +
        "`static collections`, or correct the name",
    );
  }

  /** The copy is changed only once the outbox has taken it. */
  #change(collection: string, changes: FieldChanges, plan: PlannedChange): void {
    const copy = this.#copy(collection);
    const bytes = CHANGE_BYTES + (copy.behind ? plan.bytes : plan.setBytes);
    this.#write(collection, copy.behind ? copy.wholeWith(plan) : changes, bytes);
    copy.apply(plan);
  }

  #write(collection: string, changes: FieldChanges, bytes: number): void {
    const format = this.#collections[collection]?.format ?? 1;
    this.#revision = this.#owned.change(collection, format, changes, bytes);
  }
}

/** Whatever is merged of sums between such numbers can be told exactly. */
function isAddable(value: unknown): boolean {
  return Number.isInteger(value) && Math.abs(value as number) <= ADDABLE_MAX;
}
