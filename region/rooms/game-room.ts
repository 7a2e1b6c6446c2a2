/**
 * The base class of games.
 *
 * Game code runs in the hooks below, one at a time, on the room's own time (`nowMs`), never on the
 * wall clock. What it throws is reported and counted; the room lives on. Colyseus' own hooks
 * (`onCreate`, `onJoin`, …) belong to this class; `defineGame` refuses a game that overrides them.
 */
import {
  type Client,
  ClientState,
  CloseCode,
  type MessageContext,
  type Room,
} from "@colyseus/core";
import type { Schema } from "@colyseus/schema";
import { compareEpochs } from "../../shared/epoch.ts";
import { describeKind, isFailure, MeridianError } from "../../shared/errors.ts";
import { RoomId, type SessionId } from "../../shared/ids.ts";
import type { RoomOp, RoomOps } from "../../shared/protocol/value.ts";
import { asError, CapturedRoom } from "./captured-room.ts";
import type { MessageReceiver } from "./message-handler.ts";
import { OpFeed } from "./op-feed.ts";
import { type ExitReason, Player, RoomAuth, SessionRecord } from "./player.ts";
import type { ProfileService } from "./room-profiles.ts";
import { type Restoration, restorationIn } from "./room-restore.ts";
import { RoomStates } from "./room-states.ts";
import { type Because, type Offer, type OwnedRoom, RoomValue, tradeChanges } from "./room-value.ts";
import { Roster } from "./roster.ts";
import { SavedTeller } from "./saved-teller.ts";
import type { Collections } from "./state-collections.ts";

/**
 * After these the player comes back, on this connection's successor or by another attempt; every other
 * close is final. One that was taken over is final for the old socket alone: the new one is at the door.
 */
const MAY_RETURN = new Set<number | undefined>([
  undefined,
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RECEIVED,
  CloseCode.ABNORMAL_CLOSURE,
  CloseCode.MAY_TRY_RECONNECT,
  describeKind("session_taken_over").closeCode,
]);
const INVALID_MESSAGE = describeKind("invalid_message");
const REASON_LENGTH_MAX = 200;
/** `onExit` may change the player's documents for so long. */
const EXIT_DEADLINE_MS = 3_000;
/** Of what a client named, in what it is told. */
const TYPE_LENGTH_MAX = 32;

export abstract class GameRoom<S extends Schema = Schema>
  extends CapturedRoom<S>
  implements MessageReceiver
{
  /** The players' documents that this game has. */
  static collections: Collections = {};

  /** How long the place of a player whose connection dropped is kept. */
  readonly reconnectGraceMs: number = 30_000;
  /**
   * Whether clients are told how far their documents are saved (`meridian:saved`). Stock Colyseus clients warn
   * of messages that they don't listen to, so a game that has a use for it says so.
   */
  readonly tellsSaved: boolean = false;

  readonly #roster = new Roster();
  readonly #feed = new OpFeed({
    order: () => this.ops,
    give: (op) => this.attempt("onValue", () => this.onValue?.(op)),
    ask: async (opSeq) => this.services.value.opsAfter(this.#owned(), opSeq),
    clock: this.services.clock,
  });
  readonly #value = new RoomValue(
    () => this.#readyForValue(),
    this.services.value,
    (op, answer) => this.#feed.answered(op, answer),
  );
  readonly #states = new RoomStates(
    (this.constructor as typeof GameRoom).collections,
    this.services.state,
    (player) => this.attempt("onSaved", () => this.onSaved?.(player)),
  );
  readonly #teller = new SavedTeller();
  readonly #returning = new WeakSet<Client>();
  readonly #givenUp = new WeakSet<Client>();
  #ending = false;
  #handedOver = false;
  #disposesItself = true;

  /** A new room; not called when one is restored. */
  onSetup?(options: Readonly<Record<string, unknown>>): void | Promise<void>;
  onEnter?(player: Player): void | Promise<void>;
  /** For good. */
  onExit?(player: Player, reason: ExitReason): void | Promise<void>;
  /** The connection dropped; either `onResume` or `onExit` follows. */
  onAway?(player: Player): void | Promise<void>;
  /** The connection is back, or the player has followed the room to here. */
  onResume?(player: Player): void | Promise<void>;
  /**
   * Each committed operation of this room on money and items: once, in the core's order, live or after a
   * failover, then before the first tick. What it changes in the state at once goes along with the
   * knowledge that it was given.
   */
  onValue?(op: RoomOp): void | Promise<void>;
  /** More of what was changed in the player's documents can't be lost any more: `savedRevision` rose. */
  onSaved?(player: Player): void | Promise<void>;
  /** The room ends. */
  onEnd?(): void | Promise<void>;

  /**
   * Whether that player only watches. When the node has far too much to do spectators are sent away, the longest
   * idle first, before anyone who plays is touched; that is final for their session.
   */
  isSpectator(_player: Player): boolean {
    return false;
  }

  get players(): ReadonlyMap<SessionId, Player> {
    return this.#roster.players;
  }

  /** Of any player: `await this.profiles.get(id)`. */
  get profiles(): ProfileService {
    return this.services.profiles;
  }

  /**
   * Swaps what both give, or nothing. Durable when it resolves.
   * @throws {MeridianError} as `ValueService.apply`; {ValueRefused}
   */
  async trade(
    a: Player,
    b: Player,
    offer: { readonly from: Offer; readonly for: Offer },
    because: Because,
  ): Promise<void> {
    const changes = tradeChanges(a.id, offer.from, b.id, offer.for);
    await this.#value.commit(`${a.id}/${b.id}`, because, changes);
  }

  override async onCreate(options: Readonly<Record<string, unknown>>): Promise<void> {
    this.onMessage("*", (client, type) => {
      this.refuse(client, this.#unknownMessage(String(type)), undefined);
    });
    const restoration = restorationIn(options);
    if (restoration) {
      await this.resumeFrom(restoration);
      this.#expectPlayers(restoration);
    } else {
      this.begin();
      await this.onSetup?.(options);
    }
  }

  /**
   * Colyseus sends the join, and reads messages, only after it: so both wait for the room's epoch.
   * @throws {MeridianError} `unauthorized` without a player's auth, `conflict` for a taken session,
   *   `going_away` when the room ends without an epoch
   */
  override async onJoin(client: Client, options: unknown): Promise<void> {
    const auth = RoomAuth.safeParse(client.auth);
    if (!auth.success) throw new MeridianError("unauthorized", { cause: auth.error });
    await this.granted;
    // Colyseus drops a client that left meanwhile.
    if (client.state === ClientState.LEAVING) return;
    if (this.#handedOver) throw new MeridianError("going_away");
    const known = this.#roster.find(client.sessionId);
    if (known && (known.client || known.id !== auth.data.playerId)) {
      throw new MeridianError("conflict", { message: "The session is in the room already." });
    }
    if (known) {
      await this.#resume(known, client, auth.data);
      return;
    }
    await this.#giveUpOlder(auth.data);
    await this.#enter(client, auth.data, options);
  }

  override async onDrop(client: Client, code?: number): Promise<void> {
    const player = this.playerOf(client);
    if (!player || this.#handedOver || this.#ending || !this.#mayReturn(client, code)) return;
    this.#keepSeat(client);
    player.detach();
    await this.call("onAway", () => this.onAway?.(player));
  }

  override async onReconnect(client: Client): Promise<void> {
    const player = this.#roster.find(client.sessionId);
    if (player) await this.#resume(player, client, RoomAuth.parse(client.auth));
  }

  override async onLeave(client: Client, code?: number): Promise<void> {
    const player = this.#roster.find(client.sessionId);
    if (!player || this.#handedOver || (player.client && player.client !== client)) return;
    // The connection ended before the room had its epoch, so the player was not back yet.
    if (this.expects(player.sessionId)) return;
    const lost = this.#mayReturn(client, code) && !this.#ending;
    await this.#exit(player, code === CloseCode.CONSENTED ? "left" : lost ? "lost" : "removed");
  }

  override async onDispose(): Promise<void> {
    this.halt();
    if (!this.#handedOver) await this.call("onEnd", () => this.onEnd?.());
    this.#feed.stop();
    this.#giveUpStates();
  }

  override broadcastPatch(): boolean {
    if (this.tellsSaved && !this.#handedOver) this.#teller.tell(this.players.values());
    return super.broadcastPatch();
  }

  override disconnect(closeCode?: number): ReturnType<Room["disconnect"]> {
    this.#ending = true;
    return super.disconnect(closeCode);
  }

  /**
   * @internal the room as it is, for its next owner: no game code runs here from now on, and
   * whoever loses their connection has not left
   */
  handOver(): Uint8Array {
    const snapshot = this.snapshot();
    this.#handedOver = true;
    this.#feed.stop();
    this.halt();
    this.#giveUpStates();
    return snapshot;
  }

  /**
   * @internal a restored room's players have their documents before its first tick
   * @param claimed only then it is this node's room, and its code may run
   */
  async loadPlayers(claimed: Promise<unknown> = Promise.resolve()): Promise<void> {
    const failed = await this.#states.loadAll(this.players.values());
    await claimed;
    for (const [player, error] of failed) {
      // What is no failure of the world is the game's: a migration that threw.
      if (!isFailure(error)) this.onUncaughtException(asError(error), "migrate");
      await this.#exit(player, "removed");
    }
  }

  /** @internal whether it goes on elsewhere */
  get handedOver(): boolean {
    return this.#handedOver;
  }

  /**
   * @internal the session is over, whatever its connection is closed with: no seat is kept for it, and
   * whoever was expected back for it is not any more
   */
  async giveUp(sessionId: SessionId): Promise<void> {
    const client = this.clients.get(sessionId);
    if (client) this.#givenUp.add(client);
    if (!this.expects(sessionId)) return;
    const giveUp = async () => {
      // Before that the player has no documents, and the game's code does not run.
      await this.granted;
      const player = this.#roster.find(sessionId);
      if (player && this.expects(sessionId)) await this.#exit(player, "removed");
    };
    if (this.epoch) await giveUp();
    // Nobody waits for the core here. Of a room that ends without an epoch all are gone.
    else giveUp().catch(() => undefined);
  }

  /** @internal whether that player of the former owner may still come */
  expects(sessionId: string): boolean {
    return this.#roster.expects(sessionId);
  }

  /** @internal */
  playerOf(client: Client): Player | undefined {
    if (this.#handedOver) return undefined;
    const player = this.#roster.find(client.sessionId);
    return player?.client === client ? player : undefined;
  }

  /** @internal */
  refuse(client: Client, reason: string, request: MessageContext | undefined): unknown {
    const message = reason.slice(0, REASON_LENGTH_MAX);
    this.services.invalidMessage(this, client, message);
    if (request) return request.reject({ kind: "invalid_message", message });
    client.error(INVALID_MESSAGE.closeCode, `invalid_message: ${message}`);
    return undefined;
  }

  protected override learnOps(roomOps: RoomOps): void {
    this.#feed.learn(roomOps);
  }

  protected override sessions(): SessionRecord[] {
    return this.#roster.records;
  }

  protected override get sessionChanges(): number | undefined {
    return this.#roster.changes;
  }

  protected override isReturning(client: Client): boolean {
    return this.#returning.has(client);
  }

  /** Gives up the players who did not follow the room in time. */
  protected override beforeTick(): void {
    if (!this.#roster.expecting) return;
    for (const player of this.#roster.overdue(this.tick)) {
      this.#exit(player, "lost").catch((error: unknown) => {
        this.onUncaughtException(error as Error, "onExit");
      });
    }
  }

  /** Until they have come, or are given up, an empty room does not end itself. */
  #expectPlayers({ record, progress }: Restoration): void {
    const giveUpAtTick = progress.tick + Math.ceil(this.reconnectGraceMs / this.tickMs);
    for (const session of record.sessions) {
      this.#roster.expect(new Player(session, this.#value), giveUpAtTick);
    }
    if (!this.#roster.expecting) return;
    this.#disposesItself = this.autoDispose;
    this.autoDispose = false;
  }

  /** Whoever was expected back, and came anew instead, is not here twice. */
  async #giveUpOlder({ playerId, sessionEpoch }: RoomAuth): Promise<void> {
    for (const player of [...this.players.values()]) {
      const older = compareEpochs(player.auth.sessionEpoch, sessionEpoch) < 0;
      if (player.id !== playerId || !older || !this.expects(player.sessionId)) continue;
      await this.#exit(player, "removed");
    }
  }

  #owned(): OwnedRoom {
    const { epoch: roomEpoch } = this;
    if (!roomEpoch) throw new MeridianError("unavailable", { message: "The room has no epoch." });
    const { ops } = this;
    const roomId = RoomId.parse(this.roomId);
    return {
      roomId,
      roomEpoch,
      get opSeq() {
        return ops.seen;
      },
    };
  }

  #readyForValue(): OwnedRoom {
    if (!this.ops.full) return this.#owned();
    throw new MeridianError("unavailable", {
      message: "Too many operations of the room wait for an earlier one.",
    });
  }

  #unknownMessage(type: string): string {
    const known = Object.keys(this.messages ?? {}).join(", ") || "none";
    const named = type.slice(0, TYPE_LENGTH_MAX);
    return (
      `${this.constructor.name}.messages has no "${named}" (it has: ${known}): add it there, ` +
      "or correct the client"
    );
  }

  /** Colyseus itself waits for the outcome and then calls `onReconnect` or `onLeave`. */
  #keepSeat(client: Client): void {
    const kept = this.allowReconnection(client, "manual");
    // Refused at once when the player dropped before the join was acknowledged, or the room ends.
    const giveUp = () => "reject" in kept && kept.reject(new MeridianError("reconnect_expired"));
    const cancel = this.services.clock.after(this.reconnectGraceMs, giveUp);
    kept.then(cancel, cancel);
  }

  async #enter(client: Client, auth: RoomAuth, options: unknown): Promise<void> {
    const { sessionId } = client;
    const given = typeof options === "object" && options !== null ? options : {};
    const record = SessionRecord.parse({ sessionId, auth, options: given });
    const player = new Player(record, this.#value, client);
    await this.#states.load(player);
    try {
      // Either may have happened while the documents were on their way.
      if (this.#handedOver) throw new MeridianError("going_away");
      if (client.state === ClientState.LEAVING) throw new MeridianError("caller_gone");
      this.#roster.add(player);
      await this.onEnter?.(player);
    } catch (error) {
      this.#roster.remove(player);
      player.giveUpState();
      throw error;
    }
  }

  async #resume(player: Player, client: Client, auth: RoomAuth): Promise<void> {
    this.#returning.add(client);
    this.#noLongerExpected(() => this.#roster.returned(player));
    player.attach(client, auth);
    await this.call("onResume", () => this.onResume?.(player));
  }

  #mayReturn(client: Client, code: number | undefined): boolean {
    if (this.#givenUp.has(client)) return false;
    // Colyseus' code for a return whose connection ended, or was taken over, while `onResume` ran.
    const brokenOff = code === CloseCode.FAILED_TO_RECONNECT && this.#returning.has(client);
    return brokenOff || MAY_RETURN.has(code);
  }

  async #exit(player: Player, reason: ExitReason): Promise<void> {
    player.detach();
    this.#noLongerExpected(() => this.#roster.remove(player));
    const exiting = this.call("onExit", () => this.onExit?.(player, reason));
    // The player may be waited for elsewhere.
    const late = this.services.clock.after(EXIT_DEADLINE_MS, () => player.giveUpState());
    await exiting;
    late();
    player.giveUpState();
  }

  #giveUpStates(): void {
    for (const player of this.players.values()) player.giveUpState();
  }

  #noLongerExpected(change: () => void): void {
    const expecting = this.#roster.expecting;
    change();
    if (expecting && !this.#roster.expecting) this.autoDispose = this.#disposesItself;
  }
}
