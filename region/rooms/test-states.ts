/** For test rooms: players' documents, kept by the core's own arithmetic on a map instead of tables. */
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { changed } from "../../shared/player-state/change.ts";
import type { Document, StoredDocument } from "../../shared/protocol/player-state.ts";
import type { EnteringSession, OwnedState, StateService } from "./player-state.ts";

export class TestStates implements StateService {
  /** Whether changes are taken; when they are not, `player.state` refuses them as a full outbox does. */
  up = true;
  readonly #documents = new Map<string, StoredDocument>();
  readonly #owners = new Map<PlayerId, symbol>();
  #revision = 0;
  #holding = false;

  /** What is stored of a player, without what a room has not changed yet. */
  get(playerId: PlayerId, collection: string): Document | undefined {
    return this.#documents.get(`${playerId} ${collection}`)?.fields;
  }

  /** Stores a document as an earlier session, or older code, has left it. */
  put(playerId: PlayerId, collection: string, fields: Document, format = 1): void {
    this.#documents.set(`${playerId} ${collection}`, { collection, format, version: 1, fields });
  }

  /** From now on nothing that is changed counts as saved, as while the core is away. */
  holdSaved(): void {
    this.#holding = true;
  }

  async enter({ playerId, collections, onSaved }: EnteringSession): Promise<OwnedState> {
    const owner = Symbol("owner");
    this.#owners.set(playerId, owner);
    const isOwner = () => this.#owners.get(playerId) === owner;
    const take: OwnedState["rewrite"] = (collection, format, changes) => {
      if (!isOwner()) throw new MeridianError("session_taken_over");
      const before = this.get(playerId, collection) ?? {};
      this.put(playerId, collection, changed(before, changes), format);
      this.#revision += 1;
      const revision = this.#revision;
      if (!this.#holding) queueMicrotask(() => onSaved(revision));
      return revision;
    };
    return {
      documents: collections.flatMap((name) => {
        return this.#documents.get(`${playerId} ${name}`) ?? [];
      }),
      rewrite: take,
      change: (collection, format, changes, bytes) => {
        if (isOwner() && !this.up) throw new MeridianError("outbox_full");
        return take(collection, format, changes, bytes);
      },
      leave: () => {
        if (isOwner()) this.#owners.delete(playerId);
      },
    };
  }
}
