/**
 * The unix socket on which PowerDNS asks. Each of its threads keeps one connection and asks one question
 * at a time; anything else is bounded and counted: connections, the length of a line, what was no question,
 * and answers that nobody reads.
 */
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";
import { type BackendQuestion, parseQuestion, refusalLine } from "./backend-protocol.ts";
import { Lines } from "./lines.ts";

const CONNECTIONS_MAX = 256;
/** A name has 255 bytes, four times that where each is escaped. */
const LINE_BYTES_MAX = 4_096;
/** As many as a flood of questions may bring before a connection is worth nothing. */
const WRONG_LINES_MAX = 3;
/** Its owner and group may ask: PowerDNS runs as another user. */
const SOCKET_MODE = 0o660;
/** What a system takes as the name of such a socket: 104 bytes on macOS, 108 on Linux, one for the end. */
const PATH_BYTES_MAX = 103;
const PROBE_MS = 1_000;
/** PowerDNS asks for all records of a name twice, one right after the other. */
const REPEAT_MS = 20;

export interface BackendServerOptions {
  /** Where the socket is made. */
  readonly path: string;
  /** The line that answers. */
  readonly reply: (question: BackendQuestion) => string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

type Fault = "not a question" | "line too long" | "too many connections";

export class BackendServer implements Part {
  readonly name = "name server's socket";
  readonly #options: BackendServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #faults: Counter<"fault">;
  readonly #pace = new LogPace();

  constructor(options: BackendServerOptions) {
    this.#options = options;
    const { metrics } = options;
    this.#faults = new Counter({
      name: "meridian_dns_backend_faults_total",
      help: "What came over the name server's socket and was refused.",
      labelNames: ["fault"],
      registers: [metrics],
    });
    const sockets = this.#sockets;
    new Gauge({
      name: "meridian_dns_backend_connections",
      help: "Connections of the name server: one for each of its threads.",
      registers: [metrics],
      collect() {
        this.set(sockets.size);
      },
    });
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on("drop", () => this.#note("too many connections"));
  }

  /** @throws one clear line when the socket can't be made */
  async start(): Promise<void> {
    const { path } = this.#options;
    if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
      throw new Error(`${path} is too long for a socket: set DNS_SOCKET to a shorter path`);
    }
    if (await someoneAnswers(path)) {
      throw new Error(`another responder listens on ${path}: set DNS_SOCKET to another path`);
    }
    // What a responder left that was killed; nothing else is ours to remove.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found && !found.isSocket()) throw new Error(`${path} is no socket: set DNS_SOCKET`);
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(path, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    chmodSync(path, SOCKET_MODE);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    const lines = new Lines(LINE_BYTES_MAX);
    const repeat = new Repeat(this.#options.clock);
    let wrong = 0;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // The name server went away; it comes back by itself.
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      const whole = lines.take(chunk);
      if (!whole) {
        this.#note("line too long");
        socket.destroy();
        return;
      }
      for (const line of whole) {
        const again = repeat.take(line);
        const reply = again ?? this.#replyTo(line);
        if (reply === undefined) wrong += 1;
        else if (again === undefined) repeat.note(line, reply);
        if (wrong >= WRONG_LINES_MAX) return socket.destroy();
        const taken = socket.write(reply ?? refusalLine());
        // Whoever does not read its answers asks no further.
        if (!taken && !socket.isPaused()) {
          socket.pause();
          socket.once("drain", () => socket.resume());
        }
      }
    });
  }

  /** Undefined for what is no question. */
  #replyTo(line: string): string | undefined {
    const question = parseQuestion(line);
    if (!question) this.#note("not a question");
    return question && this.#options.reply(question);
  }

  #note(fault: Fault): void {
    const { clock, log } = this.#options;
    this.#faults.inc({ fault });
    const held = this.#pace.permit(clock.monotonicMs());
    if (held === undefined) return;
    log.warn({ fault, held, runbook: "dns-backend" }, "the name server's socket was misused");
  }
}

/**
 * The last line of a connection with its reply, which is given once more to the same line if that comes at
 * once: a third of what the responder itself does for a question.
 */
class Repeat {
  readonly #clock: Clock;
  #line = "";
  #reply: string | undefined;
  #untilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(line: string): string | undefined {
    if (line !== this.#line || this.#clock.monotonicMs() >= this.#untilMs) return undefined;
    const reply = this.#reply;
    this.#reply = undefined;
    return reply;
  }

  note(line: string, reply: string): void {
    this.#line = line;
    this.#reply = reply;
    this.#untilMs = this.#clock.monotonicMs() + REPEAT_MS;
  }
}

function someoneAnswers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answers: boolean) => {
      socket.destroy();
      resolve(answers);
    };
    socket.setTimeout(PROBE_MS, () => done(true));
    socket.once("connect", () => done(true));
    // Refused or not there: nobody.
    socket.once("error", () => done(false));
  });
}
