/**
 * One request to a peer: sent, answered within its deadline, or given up.
 *
 * A request that still waits for a connection at its deadline is never sent. One that was sent may have
 * done something at the peer: where the caller must hear of that, its late answer is waited for.
 */
import { Readable } from "node:stream";
import { type Agent, request } from "undici";
import type { Clock } from "../clock.ts";
import { MeridianError } from "../errors.ts";

/**
 * A process that stood still finds its timers due before the answers that wait in its sockets. A deadline that rings so
 * much late gives them a moment to be read: else a stall counts as the failure of everybody who was asked meanwhile.
 */
const STOOD_STILL_MS = 50;
const READ_WITHIN_MS = 100;

export interface ExchangeOptions {
  readonly agent: Agent;
  readonly clock: Clock;
  /** `host:port` of the peer's link. */
  readonly address: string;
  readonly path: string;
  /** Undefined: a `GET`, without one; else a `POST`. */
  readonly body: unknown;
  readonly deadlineMs: number;
  /** How long the answer to a request that was sent is waited for past its deadline, ms. */
  readonly lateMs: number;
  /** Takes that late answer. */
  readonly onLate: (received: Received) => void;
  /** The request is over, in whichever way: nothing more comes of it. */
  readonly onEnded: () => void;
}

/** What a peer answered, whatever it says. */
export interface Received {
  readonly status: number;
  readonly body: unknown;
}

/** @throws {MeridianError} `timeout` past the deadline; `unavailable`: the peer can't be reached */
export function exchange(options: ExchangeOptions): Promise<Received> {
  const { clock, deadlineMs, lateMs, onLate, onEnded } = options;
  const sending = send(options);
  return new Promise((resolve, reject) => {
    let late = false;
    const dueMs = clock.monotonicMs() + deadlineMs;
    const giveUp = () => {
      late = true;
      reject(unanswered("timeout", options));
      if (sending.sent() && lateMs > 0) cancel = clock.after(lateMs, sending.abort);
      else sending.abort();
    };
    let cancel = clock.after(deadlineMs, () => {
      const stoodStill = clock.monotonicMs() - dueMs > STOOD_STILL_MS;
      if (stoodStill) cancel = clock.after(READ_WITHIN_MS, giveUp);
      else giveUp();
    });
    const ended = (): void => {
      cancel();
      onEnded();
    };
    sending.received.then(
      (received) => {
        ended();
        if (late) onLate(received);
        else resolve(received);
      },
      (cause: unknown) => {
        ended();
        // Past the deadline the caller has had its `timeout`: rejecting again has no effect.
        reject(unanswered("unavailable", options, cause));
      },
    );
  });
}

interface Sending {
  readonly received: Promise<Received>;
  /** Whether it is on the wire, or was. */
  readonly sent: () => boolean;
  readonly abort: () => void;
}

function send({ agent, address, path, body }: ExchangeOptions): Sending {
  const aborter = new AbortController();
  let sent = false;
  const markSent = () => {
    sent = true;
  };
  const receive = async (): Promise<Received> => {
    const response = await request(`https://${address}${path}`, {
      dispatcher: agent,
      signal: aborter.signal,
      ...(body === undefined ? { method: "GET" } : posted(body, markSent)),
    });
    return { status: response.statusCode, body: await response.body.json() };
  };
  return { received: receive(), sent: () => sent, abort: () => aborter.abort() };
}

/** undici reads the body when it has a connection and writes the request: not before. */
function posted(body: unknown, onSent: () => void) {
  const text = Buffer.from(JSON.stringify(body));
  const bodyWhenSent = new Readable({
    read() {
      onSent();
      this.push(text);
      this.push(null);
    },
  });
  return {
    method: "POST",
    headers: { "content-type": "application/json", "content-length": `${text.length}` },
    body: bodyWhenSent,
  };
}

function unanswered(
  kind: "timeout" | "unavailable",
  { path, address }: ExchangeOptions,
  cause?: unknown,
): MeridianError {
  return new MeridianError(kind, { message: `${path} at ${address} did not answer`, cause });
}
