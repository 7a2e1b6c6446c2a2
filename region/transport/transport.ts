/**
 * The players' websockets: uWebSockets.js on one side, Colyseus' rooms on the other.
 *
 *     upgrade → border (ticket) → connection → room
 *
 * A request of a wrong form is answered with an HTTP status. A player with a bad ticket is upgraded
 * and closed at once with the failure's close code and its kind as reason, because a browser can't
 * read the status of a failed upgrade. No room hears of either.
 *
 * Of two connections for one session the newer wins: a player who changed networks must not wait
 * for the half-open socket to time out. The newer is announced to the room first, then the older is
 * closed; the room hands the session over when it hears of that.
 */
import { type AuthContext, connectClientToRoom, type Room, Transport } from "@colyseus/core";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { describeKind, type ErrorKind, isFailure, MeridianError } from "../../shared/errors.ts";
import type { PlayerId, RoomId, SessionId } from "../../shared/ids.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { TicketClaims } from "../../shared/protocol/ticket.ts";
import { holdsSession } from "../node/room-internals.ts";
import { answerFailure, refuseOtherRequests, serveBeacon } from "./beacon.ts";
import type { Border } from "./border.ts";
import { Connection } from "./connection.ts";
import { RoomClient } from "./room-client.ts";
import { TransportMetrics } from "./transport-metrics.ts";
import { originAllowed, parseUpgrade } from "./upgrade-request.ts";
import {
  createUwsApp,
  type HttpRequest,
  type HttpResponse,
  type Listener,
  listen,
  NO_COMPRESSION,
  type UpgradeContext,
  type UwsApp,
  type UwsSocket,
} from "./uws.ts";

/** Pings go out by themselves well before this; a peer that answers none is gone. */
const IDLE_TIMEOUT_S = 30;
/** Colyseus' codes: the seat is gone; a room's own code failed. */
const SEAT_EXPIRED = 524;
const ROOM_FAILED = 4002;

export interface TransportLimits {
  readonly messagesPerSecondMax: number;
  readonly frameBytesMax: number;
  /** What may wait to be sent to one player; one more message ends the connection for a resync. */
  readonly backpressureBytesMax: number;
  readonly connectionsMax: number;
}

/** Who is told where a session stands; the seats are counted by it. */
export interface SessionEvents {
  /** A ticket holder is at the door, or a dropped player is back. */
  arrived(session: { sessionId: SessionId; playerId: PlayerId }, roomId: RoomId): void;
  /** The connection is gone; the room may keep the seat for a while. */
  dropped(sessionId: SessionId): void;
  /** The room did not take the newcomer. */
  refused(sessionId: SessionId): void;
  /** Whether the session has a seat, as far as anyone here knows. */
  seated(sessionId: SessionId): boolean;
}

export interface TransportOptions {
  readonly host: string;
  readonly port: number;
  /** Web origins whose pages may connect; `*` for all. */
  readonly origins: readonly string[];
  readonly limits: TransportLimits;
  readonly border: Border;
  readonly findRoom: (roomId: RoomId) => Room | undefined;
  readonly sessions: SessionEvents;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** What uWebSockets.js keeps with each socket. */
interface SocketData {
  readonly entry: Entry | { readonly refused: ErrorKind };
  connection?: Connection<SocketData>;
}

interface Entry {
  readonly claims: TicketClaims;
  readonly resuming: boolean;
  readonly reconnectionToken: string | undefined;
  readonly skipHandshake: boolean;
  readonly context: AuthContext;
}

export class UwsTransport extends Transport {
  readonly #options: TransportOptions;
  readonly #metrics: TransportMetrics;
  readonly #origins: ReadonlySet<string>;
  /** The newest connection of each session. */
  readonly #current = new Map<SessionId, Connection<SocketData>>();
  #app: UwsApp | undefined;
  #listener: Listener | undefined;
  #connections = 0;

  constructor(options: TransportOptions) {
    super();
    this.#options = options;
    this.#origins = new Set(options.origins);
    this.#metrics = new TransportMetrics(options.metrics, () => this.#connections);
  }

  /** The port that it listens on. */
  get port(): number {
    if (!this.#listener) throw new Error("the transport does not listen");
    return this.#listener.port;
  }

  /** Open websockets. */
  get connections(): number {
    return this.#connections;
  }

  /** Bytes of all messages sent so far. */
  get bytesSent(): number {
    return this.#metrics.bytesSent;
  }

  /** @throws when the address can't be had */
  async start(): Promise<void> {
    const { host, port, limits } = this.#options;
    const app = createUwsApp();
    this.#app = app;
    serveBeacon(app, { opened: () => this.#opened("ping"), closed: () => this.#closed() });
    app.ws<SocketData>("/*", {
      // Up to twice the limit is received, so that the sender can be told what it did wrong.
      maxPayloadLength: limits.frameBytesMax * 2,
      maxBackpressure: limits.backpressureBytesMax,
      closeOnBackpressureLimit: false,
      idleTimeout: IDLE_TIMEOUT_S,
      sendPingsAutomatically: true,
      compression: NO_COMPRESSION,
      upgrade: (res, req, context) => this.#upgrade(res, req, context),
      open: (socket) => this.#open(socket),
      message: (socket, data, isBinary) => {
        socket.getUserData().connection?.received(data, isBinary);
      },
      drain: (socket) => socket.getUserData().connection?.drained(),
      close: (socket, code) => this.#socketClosed(socket.getUserData(), code),
    });
    refuseOtherRequests(app);
    this.#listener = await listen(app, host, port);
  }

  /** Sends every player off, to come back. */
  dismissAll(): void {
    for (const connection of this.#current.values()) connection.refuse("going_away");
  }

  /** Cuts every connection and gives the port back. */
  override shutdown(): void {
    this.#listener?.close();
    this.#listener = undefined;
    this.#app?.close();
    this.#app = undefined;
  }

  /** Colyseus' own way to listen. Here a failure must reach the caller: use `start`. */
  override listen(): this {
    throw new Error("start the transport with start()");
  }

  /** Delays are the business of the proxies of the local world, which delay both ways. */
  override simulateLatency(): void {
    throw new Error("use the delay proxies of the local world instead");
  }

  #upgrade(res: HttpResponse, req: HttpRequest, context: UpgradeContext): void {
    const origin = req.getHeader("origin");
    const request = parseUpgrade(req.getUrl(), req.getQuery());
    if (!originAllowed(origin, this.#origins)) {
      this.#refuseHttp(res, "origin_refused");
      return;
    }
    if (!request) {
      this.#refuseHttp(res, "bad_request");
      return;
    }
    if (this.#connections >= this.#options.limits.connectionsMax) {
      // Before the ticket is looked at: it stays good for another try.
      this.#refuseHttp(res, "unavailable");
      return;
    }
    const admission = this.#options.border.admit(request);
    this.#opened(admission.admitted ? "accepted" : admission.kind);
    const data: SocketData = admission.admitted
      ? {
          entry: {
            claims: admission.claims,
            resuming: admission.resuming,
            reconnectionToken: request.reconnectionToken,
            skipHandshake: request.skipHandshake,
            context: authContext(res, req),
          },
        }
      : { entry: { refused: admission.kind } };
    res.upgrade(
      data,
      req.getHeader("sec-websocket-key"),
      req.getHeader("sec-websocket-protocol"),
      req.getHeader("sec-websocket-extensions"),
      context,
    );
  }

  #refuseHttp(res: HttpResponse, kind: ErrorKind): void {
    this.#metrics.upgrades.inc({ outcome: kind });
    answerFailure(res, new MeridianError(kind));
  }

  #open(socket: UwsSocket<SocketData>): void {
    const data = socket.getUserData();
    if ("refused" in data.entry) {
      const kind = data.entry.refused;
      socket.end(describeKind(kind).closeCode, kind);
      return;
    }
    const { clock, limits, log } = this.#options;
    const { roomId, sessionId } = data.entry.claims;
    const connection = new Connection<SocketData>({
      socket,
      clock,
      limits,
      metrics: this.#metrics,
      log: log.child({ roomId, sessionId }),
    });
    data.connection = connection;
    // A failure inside is answered to the player there; nobody waits for this promise.
    void this.#enter(connection, data.entry);
  }

  async #enter(connection: Connection<SocketData>, entry: Entry): Promise<void> {
    const { sessions, findRoom } = this.#options;
    const { roomId, sessionId, reconnectionToken: token } = entry.claims;
    const room = findRoom(roomId);
    const older = this.#current.get(sessionId);
    if (!room?.hasReservedSeat(sessionId, entry.reconnectionToken)) {
      connection.refuse(this.#missing(room, entry));
      return;
    }
    const { resuming } = entry;
    const client = new RoomClient({
      sessionId,
      reconnectionToken: token,
      connection,
      resumed: resuming,
    });
    this.#current.set(sessionId, connection);
    sessions.arrived({ sessionId, playerId: entry.claims.sub }, roomId);
    const entering = connectClientToRoom(room, client, entry.context, {
      ...(entry.reconnectionToken && { reconnectionToken: entry.reconnectionToken }),
      ...(entry.skipHandshake && { skipHandshake: true }),
    });
    older?.refuse("session_taken_over");
    try {
      await entering;
    } catch (err) {
      // The room may hold a returning player's seat still; a newcomer's is gone.
      if (resuming) sessions.dropped(sessionId);
      else sessions.refused(sessionId);
      this.#refuseEntry(connection, client, entry, err);
    }
  }

  /**
   * Why the room has no place for the player. One who comes back while the room still deals with the
   * drop, or with another attempt of the same player, is told to try again.
   */
  #missing(room: Room | undefined, { resuming, claims }: Entry): ErrorKind {
    if (!room) return "room_not_found";
    if (!resuming) return "ticket_expired";
    const inBetween =
      this.#options.sessions.seated(claims.sessionId) && !holdsSession(room, claims.sessionId);
    return inBetween ? "resync" : "reconnect_expired";
  }

  #refuseEntry(connection: Connection, client: RoomClient, entry: Entry, error: unknown): void {
    const { log } = this.#options;
    const { roomId, sessionId } = entry.claims;
    const code = codeOf(error);
    if (isFailure(error)) {
      connection.refuse(error.kind);
    } else if (code === SEAT_EXPIRED) {
      connection.refuse(entry.resuming ? "reconnect_expired" : "ticket_expired");
    } else {
      log.warn({ err: error, roomId, sessionId }, "a room did not take a player");
      client.error(code ?? ROOM_FAILED, error instanceof Error ? error.message : "");
      connection.refuse(entry.resuming ? "reconnect_expired" : "internal");
    }
  }

  #socketClosed(data: SocketData, code: number): void {
    this.#closed();
    const { connection, entry } = data;
    if (!connection || "refused" in entry) return;
    const { sessionId } = entry.claims;
    if (this.#current.get(sessionId) === connection) {
      this.#current.delete(sessionId);
      this.#options.sessions.dropped(sessionId);
    }
    connection.closed(code);
  }

  #opened(outcome: string): boolean {
    if (this.#connections >= this.#options.limits.connectionsMax) return false;
    this.#connections += 1;
    this.#metrics.upgrades.inc({ outcome });
    return true;
  }

  #closed(): void {
    this.#connections -= 1;
  }
}

/** What a room's `onAuth` may want to know of the request; no proxy's word is taken for the address. */
function authContext(res: HttpResponse, req: HttpRequest): AuthContext {
  const headers = new Headers();
  for (const name of ["origin", "user-agent", "accept-language"]) {
    const value = req.getHeader(name);
    if (value !== "") headers.set(name, value);
  }
  return { headers, ip: Buffer.from(res.getRemoteAddressAsText()).toString() };
}

function codeOf(error: unknown): number | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "number" ? code : undefined;
}
