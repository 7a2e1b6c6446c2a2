/**
 * A player as cheap as a correct one can be: what it does when is decided by the SDK's own step, and its socket
 * counts what comes instead of decoding it.
 */
import { Protocol } from "@colyseus/core";
import { Alarm } from "../../../shared/client/alarm.ts";
import {
  type ConnectionEvent,
  type ConnectionState,
  type Effect,
  initialConnection,
} from "../../../shared/client/connection-state.ts";
import { connectionStep } from "../../../shared/client/connection-step.ts";
import type { Clock } from "../../../shared/clock.ts";
import { failureFromBody, MeridianError } from "../../../shared/errors.ts";
import type { JoinAnswer, JoinOutcome } from "../../../shared/protocol/join.ts";
import { PROTOCOL_VERSION } from "../../../shared/protocol/version.ts";
import { socketPath } from "../join/join-target.ts";
import type { LeanAnswer, LeanPool } from "../lean-pool.ts";
import { type LeanAddress, type LeanEvents, LeanSocket } from "../lean-socket.ts";

/** The low five bits of a message's first byte are Colyseus' protocol code. */
const CODE_MASK = 0x1f;
const CLOSED = /^closed (\d+) (.*)$/;
const ABNORMAL_CLOSURE = 1006;

export interface LightPlayerOptions {
  readonly pool: LeanPool;
  readonly accessToken: string;
  readonly game: string;
  /** To insist on at first. */
  readonly region: string;
  readonly clock: Clock;
  readonly random: () => number;
}

/** When it came into a room: its websocket was opened, and the room's state was there. */
export interface Entry {
  readonly regionId: string;
  readonly openedMs: number;
  readonly enteredMs: number;
}

export class LightPlayer implements LeanEvents {
  /** Of the monotonic clock, all so far. */
  readonly entries: Entry[] = [];
  readonly #options: LightPlayerOptions;
  readonly #alarm: Alarm;
  #state: ConnectionState = initialConnection;
  #seat: JoinAnswer | undefined;
  #socket: LeanSocket | undefined;
  #openedMs = 0;

  constructor(options: LightPlayerOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#dispatch({ type: "wake" }));
  }

  join(): void {
    this.#dispatch({ type: "join" });
  }

  get connection(): ConnectionState["view"] {
    return this.#state.view;
  }

  /** @param frame from `messageFrame` */
  send(frame: Buffer): void {
    if (this.#state.activity === "live") this.#socket?.send(frame);
  }

  /** Cuts the connection. */
  end(): void {
    this.#alarm.set(Number.POSITIVE_INFINITY);
    this.#retire();
  }

  message(socket: LeanSocket, payload: Buffer): void {
    if (socket !== this.#socket) return;
    this.#dispatch({ type: "heard" });
    const code = (payload[0] ?? 0) & CODE_MASK;
    if (code !== Protocol.ROOM_STATE || this.#state.activity !== "opening") return;
    const { clock } = this.#options;
    const enteredMs = clock.monotonicMs();
    const { regionId } = this.#state;
    this.entries.push({ regionId, openedMs: this.#openedMs, enteredMs });
    this.#dispatch({ type: "opened" });
  }

  closed(socket: LeanSocket, why: string): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    const [, code, reason = ""] = CLOSED.exec(why) ?? [];
    this.#dispatch({ type: "closed", code: code ? Number(code) : ABNORMAL_CLOSURE, reason });
  }

  #dispatch(event: ConnectionEvent): void {
    const { clock, random } = this.#options;
    const at = { nowMs: clock.monotonicMs(), dice: random() };
    const [state, effects] = connectionStep(this.#state, event, at);
    this.#state = state;
    this.#alarm.set(state.wakeAtMs);
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: Effect): void {
    // Its failures come back as an event; nobody waits for this promise.
    if (effect.type === "ask") void this.#ask(effect.serial, effect.returning);
    if (effect.type === "open") this.#open();
    if (effect.type === "retire") this.#retire();
  }

  async #ask(serial: number, returning: boolean): Promise<void> {
    const answer = await (returning ? this.#askBack() : this.#askIn());
    const outcome = outcomeOf(answer);
    if (outcome instanceof MeridianError) {
      this.#dispatch({ type: "refused", serial, error: outcome });
      return;
    }
    this.#seat = outcome;
    const { regionId, reservation } = outcome;
    const seat = { type: "seat", serial, regionId, nodeId: reservation.processId } as const;
    this.#dispatch(seat);
  }

  #askIn(): Promise<LeanAnswer> {
    const { pool, game, region, accessToken } = this.#options;
    const body = { game, region, protocol: PROTOCOL_VERSION };
    return pool.post("/v1/join", JSON.stringify(body), accessToken);
  }

  #askBack(): Promise<LeanAnswer> {
    const roomId = this.#seat?.reservation.roomId;
    const body = { roomId, reconnectionToken: this.#token, protocol: PROTOCOL_VERSION };
    return this.#options.pool.post("/v1/reconnect", JSON.stringify(body));
  }

  #open(): void {
    if (!this.#seat) return;
    this.#retire();
    this.#openedMs = this.#options.clock.monotonicMs();
    this.#socket = new LeanSocket(addressOf(this.#seat, this.#token), this);
  }

  #retire(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  /** As the room tells it at the join; here it is read out of the ticket. */
  get #token(): string {
    const [, claims = ""] = this.#seat?.ticket.split(".") ?? [];
    const text = Buffer.from(claims, "base64url").toString();
    return (JSON.parse(text) as { reconnectionToken: string }).reconnectionToken;
  }
}

/** Nobody here waits in a queue. */
function outcomeOf({ status, body }: LeanAnswer): JoinAnswer | MeridianError {
  if (status === 0) return new MeridianError("unavailable");
  const content: unknown = body === "" ? undefined : JSON.parse(body);
  if (status !== 200) return failureFromBody(status, content);
  const outcome = content as JoinOutcome;
  return "queue" in outcome ? new MeridianError("queued") : outcome;
}

function addressOf({ reservation }: JoinAnswer, token: string): LeanAddress {
  const place = new URL(`http://${reservation.publicAddress}`);
  const query = `acknowledged=1&reconnectionToken=${token}`;
  return {
    host: place.hostname,
    port: Number(place.port),
    path: `${place.pathname}${socketPath(reservation)}&${query}`,
  };
}
