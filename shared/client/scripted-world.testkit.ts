/**
 * For tests of the client: a core and a room that do what the test says, over real HTTP and real
 * websockets on one port. The room has no state; it speaks just enough of Colyseus' protocol, in
 * frames of up to 125 bytes.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { pack } from "msgpackr";
import { type ErrorKind, MeridianError } from "../errors.ts";
import type { ScriptedQueue } from "./scripted-queue.testkit.ts";

const JOIN_ROOM = 10;
const LEAVE_ROOM = 12;
const ROOM_DATA = 13;
const CONSENTED = 4000;
const PLAYER_ID = "01890a5d-ac96-774b-bcce-b302099a8057";
/** RFC 6455, section 1.3. */
const WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const TEXT = 0x81;
const BINARY = 0x82;
const CLOSE = 0x88;

export const SECRET = "a-secret-of-twenty-letters";
export const TOKEN = "a-reconnection-token-of-the-core";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly authorization: string | undefined;
}

/** What a call gets instead of the usual: a failure, or no answer at all. */
export type Script = (asked: Asked) => MeridianError | "silence" | undefined;

export interface Connected {
  readonly url: string;
  readonly socket: Socket;
}

/** An explained route without any region. */
const NOWHERE = {
  place: { label: "Hangzhou", latitude: 30.27, longitude: 120.16, source: "geo-ip" },
  regionId: null,
  publicAddress: null,
  ranking: [],
  reason: "No region can take players right now.",
};

export class ScriptedWorld {
  /** All calls of the API so far. */
  readonly asked: Asked[] = [];
  /** Those who are in the room. */
  readonly connected = new Set<Connected>();
  /** Types of the messages that came. */
  readonly received: string[] = [];
  script: Script = () => undefined;
  /** What those are answered who find no seat. */
  queue: ScriptedQueue | undefined;
  /** Where the next seat is, if not here. */
  reservedAt: () => string | undefined = () => undefined;
  /** And in which region. */
  regionId = "beijing";
  accessExpiresInMs = 600_000;
  /** Whether the room takes no notice of players who leave, as a stopped process does. */
  ignoresLeaving = false;
  /** Whether players' websockets are opened. */
  opens = true;
  /** Whether websockets reach the region's beacon; over HTTP it answers always. */
  echoes = true;
  #accessTokens = 0;
  // A failed answer breaks the test that waits for it.
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  /** @returns the core's URL */
  async start(): Promise<string> {
    this.#server.on("upgrade", (request, socket) => this.#upgrade(request, socket as Socket));
    await new Promise<void>((resolve) => {
      this.#server.listen(0, "127.0.0.1", resolve);
    });
    return `http://${this.#address()}`;
  }

  stop(): void {
    this.cut();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** How often a path was asked. */
  count(path: string): number {
    return this.asked.filter((one) => one.path === path).length;
  }

  /** Sends a message to everybody in the room. @param payload short, or none */
  say(type: string, payload?: unknown): void {
    // The type is a MessagePack string of up to 31 letters.
    const name = Buffer.concat([Buffer.of(ROOM_DATA, 0xa0 | type.length), Buffer.from(type)]);
    const frame = payload === undefined ? name : Buffer.concat([name, pack(payload)]);
    for (const { socket } of this.connected) socket.write(frameOf(BINARY, frame));
  }

  /** Breaks every connection without a word, as a lost region does. */
  cut(): void {
    for (const { socket } of this.connected) socket.destroy();
  }

  /** Ends every connection for a failure of the catalogue. */
  end(kind: ErrorKind): void {
    for (const { socket } of this.connected) {
      socket.end(closeFrame(new MeridianError(kind).closeCode, kind));
    }
  }

  #address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #upgrade(request: IncomingMessage, socket: Socket): void {
    const beacon = request.url === "/ping";
    if (beacon ? !this.echoes : !this.opens) {
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    const key = `${request.headers["sec-websocket-key"]}${WEBSOCKET_GUID}`;
    const accept = createHash("sha1").update(key).digest("base64");
    const lines = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
    socket.on("error", () => socket.destroy());
    if (beacon) this.#echo(socket);
    else this.#enter({ url: request.url ?? "", socket });
  }

  #echo(socket: Socket): void {
    socket.on("data", (data) => {
      for (const { opcode, payload } of framesIn(data)) {
        if (opcode === CLOSE) socket.end(frameOf(CLOSE, payload));
        else socket.write(frameOf(TEXT, payload));
      }
    });
  }

  #enter(connected: Connected): void {
    const { socket } = connected;
    this.connected.add(connected);
    socket.on("close", () => this.connected.delete(connected));
    socket.on("data", (data) => {
      for (const frame of framesIn(data)) this.#received(socket, frame);
    });
    socket.write(frameOf(BINARY, joinFrame()));
  }

  #received(socket: Socket, { opcode, payload }: Frame): void {
    if (opcode === CLOSE) socket.end(frameOf(CLOSE, payload));
    else if (payload[0] === LEAVE_ROOM) this.#letGo(socket);
    else if (payload[0] === ROOM_DATA) {
      this.received.push(payload.subarray(2, 2 + ((payload[1] ?? 0) & 0x1f)).toString());
    }
  }

  #letGo(socket: Socket): void {
    if (!this.ignoresLeaving) socket.end(closeFrame(CONSENTED, ""));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    if (path === "/ping") {
      response.writeHead(204).end();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString() || "{}");
    const { method = "", headers } = request;
    const asked = { method, path, body, authorization: headers.authorization };
    this.asked.push(asked);
    const said = this.script(asked);
    if (said === "silence") return;
    if (!said && this.queue?.answer(asked, response)) return;
    if (!said && path === "/v1/me/round-trips") {
      response.writeHead(204).end();
      return;
    }
    response.writeHead(said?.status ?? 200, { "content-type": "application/json" });
    response.end(JSON.stringify(said?.toBody() ?? this.#usual(path)));
  }

  #usual(path: string): unknown {
    if (path === "/v1/regions") return this.#regions();
    if (path.startsWith("/v1/route?")) return { ...NOWHERE };
    if (path === "/v1/guests") return { ...this.#tokens(), secret: SECRET };
    if (path === "/v1/tokens/refresh") return this.#tokens();
    if (path === "/v1/me") return { playerId: PLAYER_ID, name: "Ada", email: null, guest: true };
    return this.#seat();
  }

  #tokens() {
    this.#accessTokens += 1;
    return {
      playerId: PLAYER_ID,
      name: "Ada",
      accessToken: `access-${this.#accessTokens}`,
      accessExpiresInMs: this.accessExpiresInMs,
      refreshToken: `refresh-token-number-${this.#accessTokens}`,
      refreshExpiresInMs: 3_600_000,
    };
  }

  #seat(): unknown {
    return {
      ticket: "ticket",
      ticketExpiresInMs: 10_000,
      regionId: this.regionId,
      ranking: [],
      reservation: {
        name: "arena",
        roomId: "room",
        sessionId: "session",
        processId: `${this.regionId}-1`,
        publicAddress: `${this.reservedAt() ?? this.#address()}/t/ticket`,
      },
    };
  }

  /** One region that answers pings, one that can't be reached, one without a node. */
  #regions(): unknown {
    const place = { latitude: 0, longitude: 0, state: "active", players: 0, capacity: 1 };
    return {
      regions: [
        { regionId: "beijing", name: "Beijing", ...place, publicAddress: this.#address() },
        { regionId: "nowhere", name: "Nowhere", ...place, publicAddress: "127.0.0.1:1" },
        { regionId: "asleep", name: "Asleep", ...place, publicAddress: null },
      ],
      ranking: [],
      playersOnline: 0,
    };
  }
}

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** The frames that a client sent at once: masked, and short. */
function framesIn(data: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 6 <= data.length; ) {
    const opcode = data[at] ?? 0;
    const length = (data[at + 1] ?? 0) & 0x7f;
    const mask = data.subarray(at + 2, at + 6);
    const payload = Buffer.from(data.subarray(at + 6, at + 6 + length));
    for (const index of payload.keys())
      payload[index] = (payload[index] ?? 0) ^ (mask[index % 4] ?? 0);
    frames.push({ opcode, payload });
    at += 6 + length;
  }
  return frames;
}

function frameOf(opcode: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(opcode, payload.length), payload]);
}

function closeFrame(code: number, reason: string): Buffer {
  return frameOf(CLOSE, Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]));
}

/** The room has the reconnection token of the ticket, and no state. */
function joinFrame(): Uint8Array {
  const parts = [Buffer.of(JOIN_ROOM)];
  for (const text of [TOKEN, "none"]) parts.push(Buffer.of(text.length), Buffer.from(text));
  return Buffer.concat([...parts, Buffer.of(0)]);
}
