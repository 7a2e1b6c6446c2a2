/**
 * DNS over HTTP (RFC 8484, in the clear) in front of a name server, because k6 has neither UDP nor an API for DNS: so
 * that the answers which a load test looks at are those of the real name server, as whole messages of its protocol.
 * Nothing is kept or changed on the way, but for the message's id. Meant for this machine: it listens on loopback.
 *
 * `node loadtest/load/dns-gateway.ts --server 127.0.0.1:7353 --port 8053`
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";

const HOST = "127.0.0.1";
const PATH = "/dns-query";
const CONTENT_TYPE = "application/dns-message";
/** A question with its options; RFC 1035's limit of UDP without them is 512. */
const QUESTION_BYTES_MAX = 1_232;
const HEADER_BYTES = 12;
const DEADLINE_MS = 2_000;
/** An id has 16 bits, and must not be given twice at a time. */
const IDS = 65_536;
const PENDING_MAX = 10_000;

export interface DnsGateway {
  /** For `DNS_URL`. */
  readonly url: string;
  stop(): Promise<void>;
}

interface Pending {
  readonly response: ServerResponse;
  /** The id of whoever asked. */
  readonly id: number;
  readonly timer: NodeJS.Timeout;
}

/** @param server where the name server is on this machine */
export async function startDnsGateway(
  server: { readonly host: string; readonly port: number },
  port = 0,
): Promise<DnsGateway> {
  const socket = createSocket("udp4");
  socket.connect(server.port, server.host);
  await once(socket, "connect");
  // A name server that is away refuses: its question then waits for its deadline.
  socket.on("error", () => {});
  const questions = new Questions(socket);
  socket.on("message", (message) => questions.answer(message));
  const http = createServer((request, response) => {
    void takeQuestion(request, response, questions);
  });
  http.listen(port, HOST);
  await once(http, "listening");
  const { port: bound } = http.address() as AddressInfo;
  return {
    url: `http://${HOST}:${bound}${PATH}`,
    async stop() {
      http.close();
      http.closeAllConnections();
      questions.end();
      socket.close();
      await once(socket, "close");
    },
  };
}

async function takeQuestion(
  request: IncomingMessage,
  response: ServerResponse,
  questions: Questions,
): Promise<void> {
  const isQuestion = request.method === "POST" && request.url === PATH;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes <= QUESTION_BYTES_MAX) chunks.push(chunk);
    }
  } catch {
    // Whoever asked is gone.
    return;
  }
  const isSound = bytes >= HEADER_BYTES && bytes <= QUESTION_BYTES_MAX;
  if (!isQuestion || !isSound) response.writeHead(400).end();
  else questions.ask(Buffer.concat(chunks), response);
}

class Questions {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  ask(message: Buffer, response: ServerResponse): void {
    if (this.#pending.size >= PENDING_MAX) {
      response.writeHead(503, { "retry-after": "1" }).end();
      return;
    }
    do this.#lastId = (this.#lastId + 1) % IDS;
    while (this.#pending.has(this.#lastId));
    const id = this.#lastId;
    const timer = setTimeout(() => {
      this.#pending.delete(id);
      response.writeHead(504).end();
    }, DEADLINE_MS);
    this.#pending.set(id, { response, id: message.readUInt16BE(0), timer });
    message.writeUInt16BE(id, 0);
    this.#socket.send(message);
  }

  answer(message: Buffer): void {
    const id = message.length >= HEADER_BYTES ? message.readUInt16BE(0) : -1;
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    message.writeUInt16BE(pending.id, 0);
    pending.response.writeHead(200, { "content-type": CONTENT_TYPE }).end(message);
  }

  end(): void {
    for (const { timer } of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      server: { type: "string", default: "127.0.0.1:7353" },
      port: { type: "string", default: "8053" },
    },
  });
  const [host = HOST, port = "53"] = values.server.split(":");
  const { url } = await startDnsGateway({ host, port: Number(port) }, Number(values.port));
  console.log(url);
}
