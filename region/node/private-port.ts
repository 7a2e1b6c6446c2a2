/** The operators' port: is it alive, is it ready, its metrics. Not for the world. */
import type { Logger } from "pino";
import { createHttpServer, type HttpServer } from "../../shared/http-server.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { TakenOver } from "./hand-over.ts";

const BODY_BYTES_MAX = 1024;
const REQUEST_TIMEOUT_MS = 5_000;

export interface PrivatePortOptions {
  /** Why the node is not ready to take players; empty when it is. */
  readonly obstacles: () => string[];
  /** How the rooms of the former life fared. */
  readonly takenOver: () => TakenOver;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export function createPrivatePort(options: PrivatePortOptions): HttpServer {
  const { obstacles, takenOver, metrics, log } = options;
  const server = createHttpServer({
    log,
    bodyBytesMax: BODY_BYTES_MAX,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  });
  server.get("/healthz", async () => ({ ok: true }));
  server.get("/readyz", async (_request, reply) => {
    const found = obstacles();
    return reply.status(found.length === 0 ? 200 : 503).send({ obstacles: found });
  });
  server.get("/taken-over", async () => takenOver());
  server.get("/metrics", async (_request, reply) => {
    return reply.type(metrics.contentType).send(await metrics.metrics());
  });
  return server;
}
