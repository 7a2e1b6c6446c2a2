/** A proxy on players' way to a node, which drops or delays what the node sends, frame by frame. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Protocol } from "@colyseus/core";

const HEAD_END = "\r\n\r\n";
const LENGTH_16 = 126;
const LENGTH_64 = 127;

export interface WayOptions {
  /** `host:port` of the node. */
  readonly node: string;
  /** Whether the `nth` patch of a connection, from 1, is lost. */
  readonly loses?: (nth: number) => boolean;
  /** How late what is sent now comes, ms. */
  readonly delayMs?: () => number;
}

export interface FaultyWay {
  /** `host:port`. */
  readonly address: string;
  /** How many connections there are on which so many patches went on. */
  playing(patches: number): number;
  /** Breaks all connections. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startFaultyWay(options: WayOptions): Promise<FaultyWay> {
  const [host = "", port = ""] = options.node.split(":");
  const sockets = new Set<Socket>();
  const ways = new Set<Frames>();
  const server = createServer((client) => {
    const node = connect(Number(port), host);
    for (const [socket, other] of [
      [client, node],
      [node, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay();
      // The close that follows is what is passed on.
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    client.on("data", (bytes) => node.write(bytes));
    const frames = new Frames(options.loses ?? (() => false));
    ways.add(frames);
    client.on("close", () => ways.delete(frames));
    node.on("data", (bytes) => pass(client, frames.take(bytes), options.delayMs?.() ?? 0));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: bound } = server.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `127.0.0.1:${bound}`,
    playing: (patches) => [...ways].filter((frames) => frames.patches >= patches).length,
    cut,
    async stop() {
      server.close();
      cut();
      await once(server, "close");
    },
  };
}

function pass(to: Socket, bytes: Buffer, delayMs: number): void {
  const write = () => {
    if (!to.destroyed) to.write(bytes);
  };
  if (delayMs === 0) write();
  else setTimeout(write, delayMs);
}

/** What a server sends: the answer to the upgrade, then frames, of which none is masked or in parts. */
class Frames {
  patches = 0;
  readonly #loses: (nth: number) => boolean;
  #left: Buffer = Buffer.alloc(0);
  #upgraded = false;

  constructor(loses: (nth: number) => boolean) {
    this.#loses = loses;
  }

  /** @returns what goes on, of whole frames */
  take(bytes: Buffer): Buffer {
    this.#left = Buffer.concat([this.#left, bytes]);
    const kept: Buffer[] = [];
    for (let part = this.#next(); part; part = this.#next()) {
      if (!this.#isLost(part)) kept.push(part.bytes);
    }
    return Buffer.concat(kept);
  }

  #isLost({ firstByte }: { readonly firstByte: number | undefined }): boolean {
    if (firstByte !== Protocol.ROOM_STATE_PATCH) return false;
    this.patches += 1;
    return this.#loses(this.patches);
  }

  #next(): { readonly bytes: Buffer; readonly firstByte: number | undefined } | undefined {
    const headBytes = this.#upgraded ? this.#frameHeadBytes() : this.#upgradeBytes();
    if (headBytes === undefined || this.#left.length < headBytes.all) return undefined;
    const bytes = this.#left.subarray(0, headBytes.all);
    this.#left = this.#left.subarray(headBytes.all);
    this.#upgraded = true;
    return { bytes, firstByte: headBytes.head < bytes.length ? bytes[headBytes.head] : undefined };
  }

  #upgradeBytes(): { readonly head: number; readonly all: number } | undefined {
    const end = this.#left.indexOf(HEAD_END);
    if (end < 0) return undefined;
    const all = end + HEAD_END.length;
    return { head: all, all };
  }

  #frameHeadBytes(): { readonly head: number; readonly all: number } | undefined {
    const bytes = this.#left;
    const short = bytes[1];
    if (short === undefined) return undefined;
    const head = short < LENGTH_16 ? 2 : short === LENGTH_16 ? 4 : 10;
    if (bytes.length < head) return undefined;
    if (short < LENGTH_16) return { head, all: head + short };
    const long = short === LENGTH_64 ? Number(bytes.readBigUInt64BE(2)) : bytes.readUInt16BE(2);
    return { head, all: head + long };
  }
}
