/**
 * Posts JSON over a pool of kept connections, as a proxy in front of a server does for many clients, with as few
 * instructions as will do: the generator must not be what is measured. One request at a time on each connection;
 * those for which there is none wait for one. It trusts the server to send a Content-Length, as ours do.
 */
import { connect, type Socket } from "node:net";
import { type Cancel, systemClock } from "../../shared/clock.ts";

const HEAD_END = "\r\n\r\n";
const CONTENT_LENGTH = /\r\ncontent-length: (\d+)/i;
const RETRY_AFTER = /\r\nretry-after: (\d+)/i;
const STATUS_AT = "HTTP/1.1 ".length;
const STATUS_LENGTH = 3;
/** Polls are held for 5 s at most. */
const DEADLINE_MS = 15_000;
const SWEEP_MS = 1_000;

export interface LeanAnswer {
  /** 0: the connection broke, or no answer came in time. */
  readonly status: number;
  readonly body: string;
  /** 0 where none was given. */
  readonly retryAfterMs: number;
}

interface Call {
  readonly request: string;
  readonly answer: (answer: LeanAnswer) => void;
}

const BROKEN: LeanAnswer = { status: 0, body: "", retryAfterMs: 0 };

export class LeanPool {
  readonly #host: string;
  readonly #port: number;
  readonly #connectionsMax: number;
  readonly #all = new Set<Connection>();
  readonly #idle: Connection[] = [];
  #waiting: Call[] = [];
  /** From where on calls of `#waiting` still wait. */
  #next = 0;
  readonly #stopSweeping: Cancel;
  #stopped = false;

  constructor(url: string, connectionsMax: number) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
    this.#connectionsMax = connectionsMax;
    this.#stopSweeping = systemClock.every(SWEEP_MS, () => {
      const beforeMs = systemClock.monotonicMs() - DEADLINE_MS;
      for (const connection of this.#all) connection.endIfBusySince(beforeMs);
    });
  }

  /** Never rejects. */
  post(path: string, body: string, accessToken?: string): Promise<LeanAnswer> {
    const bearer = accessToken === undefined ? "" : `authorization: Bearer ${accessToken}\r\n`;
    const request =
      `POST ${path} HTTP/1.1\r\nhost: ${this.#host}:${this.#port}\r\n${bearer}` +
      `content-type: application/json\r\ncontent-length: ${body.length}${HEAD_END}${body}`;
    return new Promise((answer) => this.#make({ request, answer }));
  }

  stop(): void {
    this.#stopped = true;
    this.#stopSweeping();
    for (const connection of this.#all) connection.end();
    for (const { answer } of this.#waiting.slice(this.#next)) answer(BROKEN);
    this.#waiting = [];
    this.#next = 0;
  }

  #make(call: Call): void {
    const idle = this.#idle.pop();
    if (idle) idle.make(call);
    else if (this.#stopped) call.answer(BROKEN);
    else if (this.#all.size < this.#connectionsMax) this.#open().make(call);
    else this.#waiting.push(call);
  }

  #open(): Connection {
    const connection: Connection = new Connection(this.#host, this.#port, {
      free: () => this.#freed(connection),
      closed: () => this.#closed(connection),
    });
    this.#all.add(connection);
    return connection;
  }

  #freed(connection: Connection): void {
    const next = this.#waiting[this.#next];
    if (!next) {
      this.#idle.push(connection);
      return;
    }
    this.#next += 1;
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
    connection.make(next);
  }

  #closed(connection: Connection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#next < this.#waiting.length && !this.#stopped) this.#freed(this.#open());
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #free: () => void;
  #call: Call | undefined;
  #sinceMs = 0;
  #received = "";

  constructor(host: string, port: number, events: { free: () => void; closed: () => void }) {
    this.#free = events.free;
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text) => this.#read(text as unknown as string));
    // What it means is told by the close that follows.
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      events.closed();
      this.#settle(BROKEN);
    });
  }

  make(call: Call): void {
    this.#call = call;
    this.#sinceMs = systemClock.monotonicMs();
    this.#socket.write(call.request);
  }

  endIfBusySince(beforeMs: number): void {
    if (this.#call && this.#sinceMs < beforeMs) this.end();
  }

  end(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    this.#received = this.#received === "" ? text : this.#received + text;
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const bodyAt = headEnd + HEAD_END.length;
    const head = this.#received.slice(0, headEnd);
    const length = Number(CONTENT_LENGTH.exec(head)?.[1] ?? 0);
    if (this.#received.length < bodyAt + length) return;
    const answer: LeanAnswer = {
      status: Number(head.slice(STATUS_AT, STATUS_AT + STATUS_LENGTH)),
      body: this.#received.slice(bodyAt),
      retryAfterMs: Number(RETRY_AFTER.exec(head)?.[1] ?? 0) * 1_000,
    };
    this.#received = "";
    this.#settle(answer);
    this.#free();
  }

  #settle(answer: LeanAnswer): void {
    const call = this.#call;
    this.#call = undefined;
    call?.answer(answer);
  }
}
