/**
 * The players' websockets: uWebSockets.js on one side, Colyseus' rooms on the other.
 *
 *     upgrade → border (ticket) → connection → room
 *
 * A request of a wrong form is answered with an HTTP status. A player with a bad ticket is upgraded
 * and closed at once with the failure's close code and its kind as reason, because a browser can't
 * read the status of a failed upgrade. No room hears of either. What happens to a connection that
 * was let in is in `entrance.ts`.
 */
import { type AuthContext, type Room, Transport } from "@colyseus/core";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { describeKind, type ErrorKind, MeridianError } from "../../shared/errors.ts";
import type { RoomId, SessionId } from "../../shared/ids.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { TicketClaims } from "../../shared/protocol/ticket.ts";
import { holdsSession, isEntering } from "../node/room-internals.ts";
import { authContext } from "./auth-context.ts";
import { type Backlog, backlogOf } from "./backlog.ts";
import { answerFailure, refuseOtherRequests, serveBeacon } from "./beacon.ts";
import type { Border } from "./border.ts";
import { Connection } from "./connection.ts";
import { Entrance, type Entry, type SessionEvents } from "./entrance.ts";
import { OpenSockets } from "./open-sockets.ts";
import { TransportMetrics } from "./transport-metrics.ts";
import { originAllowed, parseUpgrade, type UpgradeRequest } from "./upgrade-request.ts";
import { Upkeep } from "./upkeep.ts";
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

export interface TransportLimits {
  readonly messagesPerSecondMax: number;
  readonly frameBytesMax: number;
  /** What may wait to be sent to one player; one more message ends the connection for a resync. */
  readonly backpressureBytesMax: number;
  /** Players' open websockets. Past it who returns is told to try again; a fresh ticket never is. */
  readonly connectionsMax: number;
  /** Open websockets that measure round trips; one more is refused. */
  readonly beaconsMax: number;
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
  /** From the upgrade until the socket is open; a player's is not kept: it is a kilobyte. */
  entry: Entry | Refusal | undefined;
  player?: { readonly connection: Connection<SocketData>; readonly sessionId: SessionId };
}

interface Refusal {
  readonly refused: ErrorKind;
}

export class UwsTransport extends Transport {
  readonly #options: TransportOptions;
  readonly #metrics: TransportMetrics;
  readonly #origins: ReadonlySet<string>;
  readonly #entrance: Entrance;
  readonly #upkeep: Upkeep;
  readonly #sockets: OpenSockets;
  #app: UwsApp | undefined;
  #listener: Listener | undefined;

  constructor(options: TransportOptions) {
    super();
    this.#options = options;
    this.#origins = new Set(options.origins);
    this.#upkeep = new Upkeep(options.clock);
    this.#entrance = new Entrance({
      ...options,
      waitingBytesMax: options.limits.backpressureBytesMax,
      upkeep: this.#upkeep,
    });
    this.#sockets = new OpenSockets(options.limits);
    this.#metrics = new TransportMetrics(options.metrics, {
      connections: () => this.#sockets.count,
      backlog: () => this.backlog,
    });
  }

  /** The port that it listens on. */
  get port(): number {
    if (!this.#listener) throw new Error("the transport does not listen");
    return this.#listener.port;
  }

  /** Open websockets. */
  get connections(): number {
    return this.#sockets.count;
  }

  /** What waits to be sent, by looking at each player's connection: about 0.2 µs each. */
  get backlog(): Backlog {
    return backlogOf(this.#entrance.waitingBytes(), this.#options.limits.backpressureBytesMax);
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
    serveBeacon(app, {
      opened: () => this.#beaconOpened(),
      closed: () => this.#sockets.beaconClosed(),
    });
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
        socket.getUserData().player?.connection.received(data, isBinary);
      },
      drain: (socket) => socket.getUserData().player?.connection.drained(),
      close: (socket, code) => this.#socketClosed(socket.getUserData(), code),
    });
    refuseOtherRequests(app);
    this.#listener = await listen(app, host, port);
    this.#upkeep.start();
  }

  /** Sends every player off, to come back. */
  dismissAll(): void {
    this.#entrance.dismissAll();
  }

  /** Cuts every connection and gives the port back. */
  override shutdown(): void {
    this.#upkeep.stop();
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
    const entry = this.#entryFor(request, authContext(res, req));
    if (!("refused" in entry)) {
      const { sessionId } = entry.claims;
      if (entry.resuming && !this.#sockets.mayReturn(sessionId)) {
        this.#refuseHttp(res, "unavailable");
        return;
      }
      this.#sockets.playerOpened(sessionId);
    }
    this.#metrics.upgrades.inc({ outcome: "refused" in entry ? entry.refused : "accepted" });
    res.upgrade<SocketData>(
      { entry },
      req.getHeader("sec-websocket-key"),
      req.getHeader("sec-websocket-protocol"),
      req.getHeader("sec-websocket-extensions"),
      context,
    );
  }

  /** The way in, for who has a seat in a room; for everyone else, why there is none. */
  #entryFor(request: UpgradeRequest, context: AuthContext): Entry | Refusal {
    const { border, findRoom, sessions } = this.#options;
    const admission = border.admit(request);
    if (!admission.admitted) return { refused: admission.kind };
    const { claims, resuming } = admission;
    const { reconnectionToken, skipHandshake, acknowledged } = request;
    const ended = sessions.evicted(claims.sessionId);
    if (ended) return { refused: ended };
    const room = findRoom(claims.roomId);
    if (!room?.hasReservedSeat(claims.sessionId, reconnectionToken)) {
      return { refused: this.#missing(room, claims, resuming) };
    }
    const wishes = { skipHandshake, acknowledged };
    return { room, claims, resuming, reconnectionToken, ...wishes, context };
  }

  #beaconOpened(): boolean {
    const opened = this.#sockets.beaconOpened();
    this.#metrics.upgrades.inc({ outcome: opened ? "ping" : "unavailable" });
    return opened;
  }

  #refuseHttp(res: HttpResponse, kind: ErrorKind): void {
    this.#metrics.upgrades.inc({ outcome: kind });
    answerFailure(res, new MeridianError(kind));
  }

  #open(socket: UwsSocket<SocketData>): void {
    const data = socket.getUserData();
    const { entry } = data;
    data.entry = undefined;
    if (!entry) return;
    if ("refused" in entry) {
      socket.end(describeKind(entry.refused).closeCode, entry.refused);
      return;
    }
    const { clock, limits, log } = this.#options;
    const { roomId, sessionId } = entry.claims;
    const connection = new Connection<SocketData>({
      socket,
      clock,
      limits,
      metrics: this.#metrics,
      log,
      about: { roomId, sessionId },
    });
    data.player = { connection, sessionId };
    // A failure inside is answered to the player there; nobody waits for this promise.
    void this.#entrance.enter(connection, entry);
  }

  /**
   * Why the room has no place for the player. One who comes back while the room still deals with the
   * drop, or with another attempt of the same player, is told to try again.
   */
  #missing(room: Room | undefined, { sessionId }: TicketClaims, resuming: boolean): ErrorKind {
    if (!room) return "room_not_found";
    if (!resuming) return "ticket_expired";
    const undecided = isEntering(room, sessionId) || !holdsSession(room, sessionId);
    const inBetween = this.#options.sessions.seated(sessionId) && undecided;
    return inBetween ? "resync" : "reconnect_expired";
  }

  #socketClosed({ player }: SocketData, code: number): void {
    if (!player) return;
    this.#sockets.playerClosed(player.sessionId);
    this.#entrance.closed(player.connection, player.sessionId, code);
  }
}
