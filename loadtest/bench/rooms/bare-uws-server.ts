/**
 * The floor: the same traffic on a bare uWebSockets.js loop, with nothing around it.
 *
 * An input costs it two numbers read at fixed places of the frame; there is no ticket, no limit, no
 * schema, no client object. Each room has one timer, which runs the game's own rules and encodes what
 * changed with Colyseus' encoder once, then calls `ws.send` with those same bytes for each of its
 * players. So the bytes out are those of the other contenders, and joining is, too: a stock client can
 * play here.
 */
import { getMessageBytes, Protocol } from "@colyseus/core";
import { Encoder, Reflection } from "@colyseus/schema";
import {
  createUwsApp,
  listen,
  NO_COMPRESSION,
  type UwsSocket,
} from "../../../region/transport/uws.ts";
import { systemClock } from "../../../shared/clock.ts";
import { answerParent } from "./answer-parent.ts";
import { enter, FieldState, ROOM_SEATS, steer, TICK_MS, tick } from "./game.ts";
import { readInput } from "./input-frame.ts";
import { ownAccount, TickWatch } from "./server-child.ts";

const FULL_STATE_BYTES_MAX = 65_536;
/** As the region's transport has them. */
const BACKPRESSURE_BYTES_MAX = 262_144;
const IDLE_TIMEOUT_S = 30;

interface SocketData {
  readonly sessionId: string;
  room?: BareRoom;
}

class BareRoom {
  readonly state = new FieldState();
  seatsTaken = 0;
  readonly #encoder = new Encoder(this.state);
  readonly #sockets: UwsSocket<SocketData>[] = [];
  readonly #watch = new TickWatch();

  constructor() {
    systemClock.every(TICK_MS, () => this.#tick());
  }

  enter(socket: UwsSocket<SocketData>): void {
    const { sessionId } = socket.getUserData();
    this.seatsTaken += 1;
    enter(this.state, sessionId);
    const schema = Reflection.encode(this.#encoder);
    socket.send(getMessageBytes[Protocol.JOIN_ROOM](sessionId, "schema", schema), true, false);
  }

  /** The client knows the schema now. */
  acknowledged(socket: UwsSocket<SocketData>): void {
    const full = new Uint8Array(FULL_STATE_BYTES_MAX);
    full[0] = Protocol.ROOM_STATE;
    socket.send(this.#encoder.encodeAll({ offset: 1 }, full), true, false);
    this.#sockets.push(socket);
  }

  #tick(): void {
    this.#watch.began();
    tick(this.state, TICK_MS);
    this.#encoder.sharedBuffer[0] = Protocol.ROOM_STATE_PATCH;
    const patch = this.#encoder.encode({ offset: 1 });
    for (const socket of this.#sockets) socket.send(patch, true, false);
    this.#encoder.discardChanges();
  }
}

const rooms: BareRoom[] = [];

function openRoom(): BareRoom {
  const newest = rooms.at(-1);
  if (newest && newest.seatsTaken < ROOM_SEATS) return newest;
  const room = new BareRoom();
  rooms.push(room);
  return room;
}

function received(data: SocketData, socket: UwsSocket<SocketData>, message: ArrayBuffer): void {
  const frame = new DataView(message);
  const code = frame.getUint8(0);
  if (code === Protocol.ROOM_DATA && data.room) {
    steer(data.room.state, data.sessionId, readInput(frame));
  } else if (code === Protocol.JOIN_ROOM) data.room?.acknowledged(socket);
}

async function start(): Promise<number> {
  const app = createUwsApp();
  app.ws<SocketData>("/*", {
    maxBackpressure: BACKPRESSURE_BYTES_MAX,
    idleTimeout: IDLE_TIMEOUT_S,
    sendPingsAutomatically: true,
    compression: NO_COMPRESSION,
    upgrade(res, req, context) {
      res.upgrade<SocketData>(
        { sessionId: req.getQuery("sessionId") ?? "" },
        req.getHeader("sec-websocket-key"),
        req.getHeader("sec-websocket-protocol"),
        req.getHeader("sec-websocket-extensions"),
        context,
      );
    },
    open(socket) {
      const room = openRoom();
      socket.getUserData().room = room;
      room.enter(socket);
    },
    message: (socket, message) => received(socket.getUserData(), socket, message),
  });
  const { port } = await listen(app, "127.0.0.1", 0);
  return port;
}

answerParent({ start, ...ownAccount });
