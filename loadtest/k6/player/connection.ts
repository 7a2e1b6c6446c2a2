/**
 * A player's way into a room and back into it: what is done when is decided by the client SDK's own steps
 * (`shared/client/connection-step.ts`, and `queue-step.ts` in it), which this carries out with k6's HTTP and
 * websockets. So the load is that of real clients, in what they ask and in when they ask it.
 */
import { z } from "zod";
import { Alarm } from "../../../shared/client/alarm.ts";
import type { Connection } from "../../../shared/client/connection.ts";
import {
  type ConnectionEvent,
  type ConnectionState,
  type Effect,
  initialConnection,
} from "../../../shared/client/connection-state.ts";
import { connectionStep } from "../../../shared/client/connection-step.ts";
import { isFailure, MeridianError } from "../../../shared/errors.ts";
import { JoinAnswer, JoinOutcome } from "../../../shared/protocol/join.ts";
import { PollAnswer, type QueuePlace } from "../../../shared/protocol/queue.ts";
import { PROTOCOL_VERSION } from "../../../shared/protocol/version.ts";
import { clock } from "../engine/clock.ts";
import type { CoreCalls } from "../engine/core-calls.ts";
import { failed } from "../engine/metrics.ts";
import type { Account } from "./account.ts";
import { addressOf, RoomSocket } from "./room-socket.ts";
import { type Frame, RoomStream } from "./room-stream.ts";
import { leaveFrame, messageFrame } from "./sent-frames.ts";

/** As the client SDK waits. */
const COME_BACK_DEADLINE_MS = 7_000;
const LEAVE_DEADLINE_MS = 1_000;
const POLL_DEADLINE_MS = 15_000;
const HEARD_EVERY_MS = 100;
type Ask = Extract<Effect, { readonly type: "ask" }>;

export interface ConnectionOptions {
  readonly core: CoreCalls;
  readonly account: Account;
  readonly game: string;
  /** To insist on; empty: the best one. */
  readonly region: string;
  readonly random: () => number;
  readonly listener: ConnectionListener;
}

export interface ConnectionListener {
  viewChanged(view: Connection, before: Connection): void;
  /** @param atMs when it came from the network, which is before the script got to it */
  frame(frame: Frame, stream: RoomStream, atMs: number): void;
  /** An answer to a question that was asked at that moment. */
  place(place: QueuePlace, askedAtMs: number): void;
  /** Why there was no seat for whoever asked; `called`: a seat had been held for them. */
  refused(error: MeridianError, called: boolean): void;
  /** The server closed a connection that was open, or was to be opened with a seat. */
  closed(code: number, reason: string, isOpen: boolean): void;
}

export class PlayerConnection {
  readonly #options: ConnectionOptions;
  readonly #alarm: Alarm;
  #state: ConnectionState = initialConnection;
  #seat: JoinAnswer | undefined;
  #reconnectionToken = "";
  #socket: RoomSocket | undefined;
  #queueToken: string | undefined;
  /** Calls of the queue that were ended are not heard any more. */
  #queueCall = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    // Not where it is declared: k6's engine dies of a field that makes an object whose fields hold functions.
    this.#alarm = new Alarm(clock, () => this.#dispatch({ type: "wake" }));
  }

  get view(): Connection {
    return this.#state.view;
  }

  get regionId(): string {
    return this.#state.regionId;
  }

  get nodeId(): string {
    return this.#state.nodeId;
  }

  get sessionId(): string {
    return this.#seat?.reservation.sessionId ?? "";
  }

  /** When something was heard last of the room. */
  get heardAtMs(): number {
    return this.#state.heardAtMs;
  }

  join(): void {
    this.#reconnectionToken = "";
    this.#dispatch({ type: "join" });
  }

  leave(): void {
    this.#dispatch({ type: "leave" });
  }

  /** @returns false when there is no connection to send by */
  send(type: string, payload: unknown): boolean {
    if (this.#state.activity !== "live") return false;
    return this.#socket?.send(messageFrame(type, payload)) ?? false;
  }

  #dispatch(event: ConnectionEvent): void {
    const { random, listener } = this.#options;
    const before = this.#state.view;
    const at = { nowMs: clock.monotonicMs(), dice: random() };
    const [state, effects] = connectionStep(this.#state, event, at);
    this.#state = state;
    this.#alarm.set(state.wakeAtMs);
    for (const effect of effects) this.#carryOut(effect);
    if (state.view !== before) listener.viewChanged(state.view, before);
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "ask":
        // Its failures come back as an event, as those of a poll.
        void this.#ask(effect);
        break;
      case "poll":
        void this.#poll(effect.hidden);
        break;
      case "open":
        this.#open();
        break;
      case "retire":
        this.#retire();
        break;
      case "sayLeave":
        this.#sayLeave();
        break;
      case "hush":
        this.#queueCall += 1;
        break;
      case "forgetPlace":
        this.#queueToken = undefined;
        break;
      case "giveUpPlace":
        void this.#giveUpPlace();
        break;
      case "moved":
      case "stream":
        break;
    }
  }

  async #ask({ serial, returning, unreachable, avoid }: Ask): Promise<void> {
    const called = this.#state.queue?.place.state === "called" && !returning;
    const askedAtMs = Date.now();
    try {
      const outcome = returning ? await this.#comeBack(unreachable) : await this.#join(avoid);
      if (serial !== this.#state.serial) return;
      if ("queue" in outcome) {
        const { queue: place } = outcome;
        if (called) this.#options.listener.refused(new MeridianError("queued"), true);
        this.#placed(place, askedAtMs);
        const beginning = { position: place.position, atMs: askedAtMs };
        const circumstances = { hidden: false, streams: false };
        this.#dispatch({ type: "queued", serial, place, beginning, ...circumstances });
        return;
      }
      this.#queueToken = undefined;
      this.#seat = outcome;
      const { regionId, reservation } = outcome;
      this.#dispatch({ type: "seat", serial, regionId, nodeId: reservation.processId });
    } catch (cause) {
      const error = failureOf(cause);
      this.#options.listener.refused(error, called);
      this.#dispatch({ type: "refused", serial, error });
    }
  }

  #join(avoid: string | undefined): Promise<JoinOutcome> {
    const { core, account, game, region } = this.#options;
    const wish = avoid === undefined ? region !== "" && { region } : { avoid: [avoid] };
    const body = {
      game,
      protocol: PROTOCOL_VERSION,
      mayQueue: true,
      ...wish,
      ...(this.#queueToken !== undefined && { queueToken: this.#queueToken }),
    };
    const call = { method: "POST", path: "/v1/join", body, schema: JoinOutcome } as const;
    return account.authorized((accessToken) => core.call({ ...call, accessToken }));
  }

  #comeBack(unreachable: string | undefined): Promise<JoinAnswer> {
    return this.#options.core.call({
      method: "POST",
      path: "/v1/reconnect",
      body: {
        roomId: this.#seat?.reservation.roomId,
        reconnectionToken: this.#reconnectionToken,
        protocol: PROTOCOL_VERSION,
        ...(unreachable !== undefined && { unreachable }),
      },
      schema: JoinAnswer,
      deadlineMs: COME_BACK_DEADLINE_MS,
    });
  }

  async #poll(hidden: boolean): Promise<void> {
    this.#queueCall += 1;
    const call = this.#queueCall;
    const askedAtMs = Date.now();
    try {
      const { queue: place } = await this.#options.core.call({
        method: "POST",
        path: "/v1/queue/poll",
        body: { token: this.#queueToken, hidden, hold: true },
        schema: PollAnswer,
        deadlineMs: POLL_DEADLINE_MS,
      });
      if (call !== this.#queueCall) return;
      this.#placed(place, askedAtMs);
      const beginning = { position: place.position, atMs: askedAtMs };
      this.#dispatch({ type: "place", place, beginning });
    } catch (cause) {
      if (call === this.#queueCall) this.#dispatch({ type: "unanswered", error: failureOf(cause) });
    }
  }

  #placed(place: QueuePlace, askedAtMs: number): void {
    this.#queueToken = place.token;
    this.#options.listener.place(place, askedAtMs);
  }

  async #giveUpPlace(): Promise<void> {
    const token = this.#queueToken;
    if (token === undefined) return;
    this.#queueToken = undefined;
    const call = { method: "POST", path: "/v1/queue/leave", body: { token } } as const;
    // Not heard of any more, the place is given up by that.
    await this.#options.core.call({ ...call, schema: z.unknown() }).catch(() => {});
  }

  #open(): void {
    const seat = this.#seat;
    if (!seat) return;
    this.#retire();
    const stream = new RoomStream();
    const url = addressOf(seat, this.#options.core.scheme, this.#reconnectionToken);
    this.#socket = new RoomSocket(url, {
      message: (bytes, atMs) => this.#heard(bytes, stream, atMs),
      closed: (code, reason) => {
        this.#socket = undefined;
        this.#options.listener.closed(code, reason, this.#state.activity === "live");
        this.#dispatch({ type: "closed", code, reason });
      },
    });
  }

  #heard(bytes: Uint8Array, stream: RoomStream, atMs: number): void {
    this.#noteHeard();
    try {
      const frame = stream.read(bytes);
      if (frame.kind === "join") this.#reconnectionToken = frame.reconnectionToken;
      if (frame.kind === "state") this.#dispatch({ type: "opened" });
      this.#options.listener.frame(frame, stream, atMs);
    } catch (error) {
      // Thrown on, it would end the connection, and be taken for the network's doing.
      failed("bad_frame", `first byte ${bytes[0]}, ${bytes.length} bytes: ${error}`);
    }
  }

  /** Silence is judged by the second: to be told of each frame costs more than to read it. */
  #noteHeard(): void {
    const { activity, heardAtMs, view } = this.#state;
    const isFresh = clock.monotonicMs() - heardAtMs < HEARD_EVERY_MS;
    if (activity === "live" && isFresh && view.phase === "playing") return;
    this.#dispatch({ type: "heard" });
  }

  /** The room closes the connection then; one that does not is not waited for, as by the SDK. */
  #sayLeave(): void {
    const socket = this.#socket;
    if (!socket?.send(leaveFrame)) this.#retire();
    else clock.after(LEAVE_DEADLINE_MS, () => socket.drop());
  }

  #retire(): void {
    this.#socket?.drop();
    this.#socket = undefined;
  }
}

function failureOf(cause: unknown): MeridianError {
  if (isFailure(cause)) return cause;
  failed("script", String(cause));
  return new MeridianError("internal", { cause });
}
