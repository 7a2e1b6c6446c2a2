/**
 * Tells clients how far their documents are saved: once a patch at most, and only what is news to that
 * connection. A new change is news, too: a client that heard only of what was saved could not tell that
 * something is not.
 */
import type { Client } from "@colyseus/core";
import { SAVED_MESSAGE, type Saved } from "../../shared/protocol/saved.ts";
import type { Player } from "./player.ts";

export class SavedTeller {
  /** By connection, because one that comes back, from another node perhaps, knows of other numbers. */
  readonly #told = new WeakMap<Client, Saved>();

  tell(players: Iterable<Player>): void {
    for (const { client, saved } of players) {
      if (!client || !saved) continue;
      const told = this.#told.get(client);
      const known = told?.savedRevision === saved.savedRevision && told.revision === saved.revision;
      if (known) continue;
      this.#told.set(client, saved);
      client.send(SAVED_MESSAGE, saved);
    }
  }
}
