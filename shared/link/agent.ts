/** The connections of a link's client to one peer: straight to its address, or on a way round. */
import type { TLSSocket } from "node:tls";
import { Agent, type buildConnector } from "undici";
import type { LinkCredentials } from "./credentials.ts";
import { mustName } from "./peer.ts";

const CONNECTIONS_MAX = 16;
const CONNECT_TIMEOUT_MS = 2_000;
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/** Leads to a peer where a straight connection does not. */
export interface Way {
  /** Each connection costs somebody else two: few of them. */
  readonly connectionsMax: number;
  /** A verified connection to the peer; it has a deadline of its own. */
  open(): Promise<TLSSocket>;
}

export interface AgentOptions {
  readonly address: string;
  /** Whom the certificate at that address must name. */
  readonly name: string;
  readonly credentials: LinkCredentials;
  readonly way: Way | undefined;
}

export function agentFor({ address, name, credentials, way }: AgentOptions): Agent {
  return new Agent({
    connections: way?.connectionsMax ?? CONNECTIONS_MAX,
    pipelining: 1,
    maxResponseSize: ANSWER_BYTES_MAX,
    keepAliveTimeout: 10_000,
    connect: way
      ? connectorOf(way)
      : {
          ...credentials,
          timeout: CONNECT_TIMEOUT_MS,
          checkServerIdentity: mustName(name, address),
        },
  });
}

function connectorOf(way: Way): buildConnector.connector {
  return (_options, callback) => {
    way.open().then(
      (socket) => callback(null, socket),
      (cause: unknown) => callback(new Error("the way round is closed", { cause }), null),
    );
  };
}
