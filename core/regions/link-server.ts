/** The server that regions connect to: mutual TLS, nobody without a certificate of our CA gets in. */
import type { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { createHttpServer, type HttpServer } from "../../shared/http-server.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { peerOf } from "../../shared/link/peer.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";

const BODY_BYTES_MAX = 256 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;
/**
 * Of one name server, which needs one: they face the world, and whoever took one over must not take the connections
 * of the regions as well.
 */
const NAME_SERVER_CONNECTIONS_MAX = 16;

export function createLinkServer(deps: {
  readonly identity: LinkIdentity;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}): HttpServer {
  const { identity, clock, log, metrics } = deps;
  const server = createHttpServer({
    log,
    bodyBytesMax: BODY_BYTES_MAX,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    mutualTls: identity,
  });
  const refused = new Counter({
    name: "meridian_link_handshakes_refused_total",
    help: "Connections to the link that ended before TLS was agreed on.",
    registers: [metrics],
  });
  const pace = new LogPace();
  const refuse = (reason: string) => {
    refused.inc();
    const held = pace.permit(clock.monotonicMs());
    if (held === undefined) return;
    log.warn({ reason, held, runbook: "core-link-refused" }, "link peer refused");
  };
  server.server.on("tlsClientError", (err: Error) => refuse(err.message));
  boundNameServers(server, refuse);
  return server;
}

/** @param refuse takes why, for a connection that was one too many */
function boundNameServers({ server }: HttpServer, refuse: (reason: string) => void): void {
  const open = new Map<string, number>();
  server.on("secureConnection", (socket: TLSSocket) => {
    const peer = peerOf(socket);
    if (peer?.role !== "dns") return;
    const { nameServer } = peer;
    const count = (open.get(nameServer) ?? 0) + 1;
    open.set(nameServer, count);
    socket.once("close", () => {
      const left = (open.get(nameServer) ?? 0) - 1;
      if (left > 0) open.set(nameServer, left);
      else open.delete(nameServer);
    });
    if (count <= NAME_SERVER_CONNECTIONS_MAX) return;
    refuse(`too many connections of name server ${nameServer}`);
    socket.destroy();
  });
}
