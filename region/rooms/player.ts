/**
 * A player in a room: the same object from `onEnter` to `onExit`, over dropped connections. After a
 * failover there is a new object with the same `sessionId` and `id`; what must outlive the process
 * belongs in the room's state, or as JSON in `client.userData`.
 */
import type { Client } from "@colyseus/core";
import { z } from "zod";
import { RegionId, SessionId } from "../../shared/ids.ts";
import { JoinOptions } from "../../shared/protocol/join.ts";
import type { Saved } from "../../shared/protocol/saved.ts";
import { PlayerAuth } from "../../shared/protocol/ticket.ts";
import type { PlayerState } from "./player-state.ts";
import { Items, type RoomValue, Wallet } from "./room-value.ts";

/** What the transport puts in `client.auth`; a room refuses a client without it. */
export const RoomAuth = PlayerAuth.extend({
  /** Where the player's session is counted. */
  region: RegionId.optional(),
});
export type RoomAuth = z.infer<typeof RoomAuth>;

/** A player as a frame carries it. */
export const SessionRecord = z.object({
  sessionId: SessionId,
  auth: RoomAuth,
  /** What the player joined with. */
  options: JoinOptions,
  /** `client.userData`, left out where it is not JSON. */
  userData: z.json().optional(),
});
export type SessionRecord = z.infer<typeof SessionRecord>;

/**
 * Why a player is out of the room for good: `left` by the player's own wish, `lost` when the
 * connection was not back within the grace, `removed` by the room or the server.
 */
export type ExitReason = "left" | "lost" | "removed";

export class Player {
  readonly sessionId: SessionId;
  readonly options: JoinOptions;
  readonly wallet: Wallet;
  readonly items: Items;
  #auth: RoomAuth;
  #client: Client | undefined;
  #userData: unknown;
  #state: PlayerState | undefined;
  #gaveUp = false;
  #changes = 0;

  constructor(record: SessionRecord, value: RoomValue, client?: Client) {
    this.sessionId = record.sessionId;
    this.options = record.options;
    this.#auth = record.auth;
    this.#userData = record.userData;
    this.wallet = new Wallet(value, record.auth.playerId);
    this.items = new Items(value, record.auth.playerId);
    if (client) this.attach(client, record.auth);
  }

  get id(): RoomAuth["playerId"] {
    return this.#auth.playerId;
  }

  get name(): string {
    return this.#auth.name;
  }

  get auth(): RoomAuth {
    return this.#auth;
  }

  /** The player's documents, in the collections that the room's class names. */
  get state(): PlayerState {
    if (this.#state) return this.#state;
    throw new TypeError("the room's class names no collections: add `static collections` to it");
  }

  /** @internal how far the documents are saved; undefined in a game without any */
  get saved(): Saved | undefined {
    if (!this.#state) return undefined;
    const { savedRevision, revision } = this.#state;
    return { savedRevision, revision };
  }

  /** Undefined while the connection is away. */
  get client(): Client | undefined {
    return this.#client;
  }

  /** Sends a message, or nothing while the connection is away. */
  send(type: string | number, message?: unknown): void {
    this.#client?.send(type, message);
  }

  /** @internal */
  own(state: PlayerState): void {
    this.#state = state;
    // The room may have ended while the documents were on their way.
    if (this.#gaveUp) state.leave();
  }

  /** @internal the room is done with the player: the next owner may have the documents */
  giveUpState(): void {
    this.#gaveUp = true;
    this.#state?.leave();
  }

  /** @internal the connection is there, for the first time or again */
  attach(client: Client, auth: RoomAuth): void {
    this.#changes += 1;
    client.userData ??= this.#userData;
    this.#client = client;
    this.#auth = auth;
  }

  /** @internal */
  detach(): void {
    this.#changes += 1;
    this.#userData = this.#client?.userData;
    this.#client = undefined;
  }

  /** @internal rises whenever `record` may be another; undefined while only a look at it can tell */
  get changes(): number | undefined {
    const userData = this.#client ? this.#client.userData : this.#userData;
    return userData === undefined ? this.#changes : undefined;
  }

  /** @internal */
  record(): SessionRecord {
    const userData = this.#client ? this.#client.userData : this.#userData;
    const record = { sessionId: this.sessionId, auth: this.#auth, options: this.options };
    if (userData === undefined) return record;
    const json = z.json().safeParse(userData);
    return json.success ? { ...record, userData: json.data } : record;
  }
}
