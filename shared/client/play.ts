/**
 * A player's stay in a game: one room, over as many connections as it takes. What the game listens to
 * stays attached over reconnects, and over `rejoin()` too, though the room is another one then.
 *
 * Sending is at most once, whatever fails. What is sent without a connection is dropped, because a move that
 * comes seconds late does harm; a message marked `keep` waits for the return instead, up to `KEPT_MAX` of
 * them. What was sent just before a break may be lost either way.
 */
import type { Decoder } from "@colyseus/schema";
import type { Cancel } from "../clock.ts";
import { isFailure, MeridianError } from "../errors.ts";
import type { JoinAnswer } from "../protocol/join.ts";
import type { QueuePlace } from "../protocol/queue.ts";
import { SAVED_MESSAGE, type Saved } from "../protocol/saved.ts";
import { Alarm } from "./alarm.ts";
import type { Connection, Moved } from "./connection.ts";
import {
  type ConnectionEvent,
  type ConnectionState,
  type Effect,
  initialConnection,
} from "./connection-state.ts";
import { connectionStep } from "./connection-step.ts";
import { KeptMessages } from "./kept-messages.ts";
import { add, tell } from "./listeners.ts";
import { MessageListeners } from "./message-listeners.ts";
import { watchNetwork } from "./network.ts";
import type { PlayOptions } from "./play-options.ts";
import { SavedView } from "./saved-view.ts";
import { SessionRoom } from "./session-room.ts";

/** How long a room may take to let a leaving player go. */
const LEAVE_DEADLINE_MS = 1_000;
type Ask = Extract<Effect, { type: "ask" }>;
const SETTLED: readonly string[] = ["playing", "lost", "left", "failed"];

export class Play<State> {
  readonly #options: PlayOptions;
  readonly #connectionListeners = new Set<(connection: Connection) => void>();
  readonly #movedListeners = new Set<(moved: Moved) => void>();
  readonly #stateListeners = new Set<(state: State) => void>();
  readonly #messageListeners = new MessageListeners();
  readonly #saved = new SavedView();
  readonly #kept = new KeptMessages();
  #state: ConnectionState = initialConnection;
  #room: SessionRoom<State> | undefined;
  /** The room that one is in, or was in last: another one that is being entered has no state yet. */
  #shown: SessionRoom<State> | undefined;
  #seat: JoinAnswer | undefined;
  readonly #alarm: Alarm;
  #unwatch: Cancel = () => {};
  #gone: (() => void) | undefined;

  constructor(options: PlayOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#dispatch({ type: "wake" }));
    const { onConnection } = options;
    if (onConnection) this.onConnection((connection) => onConnection(connection, this));
  }

  /** The room's state, decoded and kept up to date: read it, never change it. */
  get state(): State {
    if (!this.#shown) throw new Error("there is no state before the join");
    return this.#shown.state;
  }

  /** For Colyseus' `Callbacks.get(play)`. Good for as long as the room is the same, wherever that goes on. */
  get serializer(): { readonly decoder: Decoder } {
    const decoder = this.#shown?.decoder;
    if (!decoder) throw new Error("there is no state before the join");
    return { decoder };
  }

  get connection(): Connection {
    return this.#state.view;
  }

  /** One's own place in the room; the same after a reconnect. */
  get sessionId(): string {
    return this.#shown?.sessionId ?? "";
  }

  get roomId(): string {
    return this.#shown?.roomId ?? "";
  }

  /** The present seat, with the regions in the order in which they suit this player. */
  get seat(): JoinAnswer | undefined {
    return this.#seat;
  }

  /**
   * How far the room has saved what it keeps of this player for good, such as their stats. All of it is
   * while `savedRevision` is not below `revision`. Stays at 0 in games that don't tell.
   */
  get saved(): Saved {
    return this.#saved.saved;
  }

  /** Calls back at every change of `saved`, once a patch at most. */
  onSaved(listener: (saved: Saved) => void): Cancel {
    return this.#saved.onChange(listener);
  }

  /** Calls back at every new state, about as often as the room sends patches. */
  onChange(listener: (state: State) => void): Cancel {
    return add(this.#stateListeners, listener);
  }

  /** Calls back at every change of the connection. */
  onConnection(listener: (connection: Connection) => void): Cancel {
    return add(this.#connectionListeners, listener);
  }

  /**
   * Calls back when the player is in another region, because the one before was lost, is being emptied, or can't be
   * reached from here. By then `connection` is `playing`.
   */
  onMoved(listener: (moved: Moved) => void): Cancel {
    return add(this.#movedListeners, listener);
  }

  /** Calls back at the room's messages of that type. Parse the payload: it comes from outside. */
  onMessage(type: string | number, listener: (payload: unknown) => void): Cancel {
    return this.#messageListeners.add(type, listener);
  }

  /** @returns false when it was dropped: see above */
  send(type: string, payload?: unknown, { keep = false } = {}): boolean {
    if (this.#room && this.#state.activity === "live") {
      this.#room.send(type, payload);
      return true;
    }
    return keep && this.#kept.keep({ type, payload });
  }

  /**
   * Looks for a room, from `idle`, `lost`, `left` or `failed`. Resolves once one can play; where every
   * seat is taken, that is when the wait in the queue is over, however long it takes.
   * @throws {MeridianError} why there is none; `caller_gone` after `leave`
   */
  async rejoin(): Promise<void> {
    if (this.#state.activity === "live") return;
    const settled = this.#settled();
    this.#unwatch();
    this.#unwatch = watchNetwork((type) => this.#dispatch({ type }));
    this.#dispatch({ type: "join" });
    const connection = await settled;
    if ("error" in connection) throw connection.error;
    if (connection.phase !== "left") return;
    throw new MeridianError(connection.reason === "asked" ? "caller_gone" : "going_away");
  }

  /** In phase `offered`: waits for a seat in that region as well. The place that one has stays. */
  acceptOffer(regionId: string): void {
    this.#dispatch({ type: "accept", regionId });
  }

  /** In phase `offered`: that region is not offered again during this wait. */
  declineOffer(regionId: string): void {
    this.#dispatch({ type: "decline", regionId });
  }

  /**
   * Leaves for good, a queue as well. Resolves when the room has let go, after a second at most, or the core
   * knows that the place is given up.
   */
  async leave(): Promise<void> {
    const leaving = this.#gone;
    const gone = new Promise<void>((resolve) => {
      this.#gone = () => {
        this.#gone = undefined;
        leaving?.();
        resolve();
      };
    });
    this.#dispatch({ type: "leave" });
    await gone;
    await this.#options.waiting.givenUp;
  }

  #settled(): Promise<Connection> {
    return new Promise((resolve) => {
      const stopListening = this.onConnection((connection) => {
        if (!SETTLED.includes(connection.phase)) return;
        stopListening();
        resolve(connection);
      });
    });
  }

  #dispatch(event: ConnectionEvent): void {
    const { clock, random } = this.#options;
    const nowMs = clock.monotonicMs();
    const before = this.#state;
    const [state, effects] = connectionStep(before, event, { nowMs, dice: random() });
    this.#state = state;
    this.#alarm.set(state.wakeAtMs);
    for (const effect of effects) this.#carryOut(effect);
    if (state.activity === "none") this.#unwatch();
    if (state.view === before.view) return;
    if (state.view.phase === "playing") this.#kept.sendBy(this.#room);
    tell(this.#connectionListeners, (listener) => listener(state.view));
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "ask":
        // Its failures come back as an event; nobody waits for this promise.
        void this.#ask(effect);
        break;
      case "moved":
        tell(this.#movedListeners, (listener) => listener(effect.moved));
        break;
      case "open":
        this.#open();
        break;
      case "retire":
        this.#room?.retire();
        this.#gone?.();
        break;
      case "sayLeave":
        this.#sayLeave();
        break;
      case "forgetPlace":
        this.#options.waiting.forget();
        break;
      case "giveUpPlace":
        this.#options.waiting.giveUp();
        break;
      default:
        this.#options.waiting.carryOut(effect, (event) => this.#dispatch(event));
    }
  }

  async #ask({ serial, returning, unreachable, avoid }: Ask): Promise<void> {
    const { join, comeBack, waiting } = this.#options;
    try {
      const room = returning ? this.#room : undefined;
      const token = room?.reconnectionToken.split(":")[1] ?? "";
      const seat = room
        ? await comeBack({ roomId: room.roomId, token, unreachable })
        : await join(avoid);
      if ("queue" in seat) {
        this.#placed(serial, seat.queue);
        return;
      }
      if (this.#state.serial !== serial) return;
      if (!room) waiting.forget();
      this.#seat = seat;
      if (!room) this.#room = this.#newRoom(seat);
      const { regionId, reservation } = seat;
      this.#dispatch({ type: "seat", serial, regionId, nodeId: reservation.processId });
    } catch (cause) {
      const error = isFailure(cause) ? cause : new MeridianError("internal", { cause });
      this.#dispatch({ type: "refused", serial, error });
    }
  }

  #placed(serial: number, place: QueuePlace): void {
    const { waiting } = this.#options;
    if (this.#state.serial === serial) {
      const beginning = waiting.keep(place);
      this.#dispatch({ type: "queued", serial, place, beginning, ...waiting.circumstances });
      return;
    }
    // The player left before it was known that there is a place.
    if (this.#state.activity === "none") waiting.giveUp(place.token);
  }

  #newRoom(seat: JoinAnswer): SessionRoom<State> {
    // A former room that has not answered the leaving yet is not waited for any more.
    this.#gone?.();
    this.#room?.retire();
    this.#saved.forget();
    return new SessionRoom<State>(seat.reservation, {
      opened: () => {
        this.#shown = this.#room;
        this.#dispatch({ type: "opened" });
      },
      heard: () => this.#dispatch({ type: "heard" }),
      closed: (code, reason) => {
        this.#gone?.();
        this.#dispatch({ type: "closed", code, reason });
      },
      changed: (state) => {
        tell(this.#stateListeners, (listener) => listener(state));
      },
      message: (type, payload) => {
        if (type === SAVED_MESSAGE) this.#saved.heard(payload);
        this.#messageListeners.tell(type, payload);
      },
    });
  }

  #open(): void {
    if (this.#seat) this.#room?.open(this.#seat.reservation, this.#options.scheme);
  }

  #sayLeave(): void {
    // By the deadline `rejoin()` may have put another room in its place.
    const room = this.#room;
    room?.sayLeave();
    const leaving = this.#gone;
    const letGo = () => {
      cancel();
      room?.retire();
      leaving?.();
    };
    const cancel = this.#options.clock.after(LEAVE_DEADLINE_MS, letGo);
    this.#gone = letGo;
  }
}
