/**
 * A TCP proxy that makes a link as long as the distance it stands for, and that breaks it on demand.
 *
 * Bytes, half-closes (FIN) and resets (RST) pass in both directions, in order, each `oneWayMs` late. A
 * connection's set-up costs the round trip that a handshake over that distance would.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { type Clock, systemClock } from "../../../shared/clock.ts";
import { DelayedConnection } from "./delayed-connection.ts";

export interface DelayProxyOptions {
  readonly listenHost: string;
  /** 0 for any free one. */
  readonly listenPort: number;
  readonly targetHost: string;
  readonly targetPort: number;
  readonly oneWayMs: number;
  readonly clock?: Clock;
}

export interface DelayProxy {
  readonly port: number;
  /** From now on, for new bytes of connections that exist too. */
  setDelay(oneWayMs: number): void;
  /** Resets all connections and refuses new ones, until `heal`. */
  cut(): Promise<void>;
  /** Lets nothing through and tells nobody, until `heal`: a network that drops every packet. */
  halfOpen(): void;
  /** Ends `cut` or `halfOpen`; what was held comes through, as retransmissions would. */
  heal(): Promise<void>;
  /** Resets all connections and frees the port. */
  stop(): Promise<void>;
}

const BACKLOG_MAX = 1024;

/** @throws when the port can't be had */
export async function startDelayProxy(options: DelayProxyOptions): Promise<DelayProxy> {
  const { listenHost, targetHost, targetPort, clock = systemClock } = options;
  const connections = new Set<DelayedConnection>();
  let delayMs = options.oneWayMs;
  let held = false;

  function accept(client: Socket): void {
    const target = () => connect({ host: targetHost, port: targetPort, allowHalfOpen: true });
    const connection: DelayedConnection = new DelayedConnection(client, {
      clock,
      target,
      delayMs: () => delayMs,
      onClosed: () => connections.delete(connection),
    });
    connections.add(connection);
    if (held) connection.hold();
  }

  let server = await listen(listenHost, options.listenPort, accept);
  const port = portOf(server);

  async function close(): Promise<void> {
    const closed = server.listening && new Promise((resolve) => server.close(resolve));
    for (const connection of [...connections]) connection.reset();
    await closed;
  }

  return {
    port,
    setDelay(oneWayMs) {
      delayMs = oneWayMs;
    },
    cut: close,
    halfOpen() {
      held = true;
      for (const connection of connections) connection.hold();
    },
    async heal() {
      held = false;
      for (const connection of connections) connection.release();
      if (!server.listening) server = await listen(listenHost, port, accept);
    },
    stop: close,
  };
}

function listen(host: string, port: number, accept: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
    server.once("error", reject);
    server.listen({ host, port, backlog: BACKLOG_MAX }, () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  if (address !== null && typeof address === "object") return address.port;
  throw new Error("a delay proxy listens on no port");
}
