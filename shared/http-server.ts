/**
 * Every HTTP server here is made by this function, so that each has the same bounds, the same error
 * bodies and the same parsing by schema: players' API, private link and private port alike.
 */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import { type FastifyError, type FastifyReply, fastify, LogController } from "fastify";
import {
  hasZodFastifySchemaValidationErrors,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { Logger } from "pino";
import type { Cancel } from "./clock.ts";
import { isFailure, MeridianError } from "./errors.ts";
import type { LinkIdentity } from "./link/identity.ts";

/** Node looks for requests that are too slow every 30 s, so that 10 s would mean up to 40 s. */
const SLOW_CHECK_PERIOD_MS = 1_000;
/** An idle connection is kept for the next request this long. */
const KEEP_ALIVE_MS = 30_000;
/** Nothing sent or received: neither a request nor an answer takes as long. */
const SILENT_CONNECTION_MS = 60_000;
/** For every server that is not told another number: links, private ports. */
const CONNECTIONS_MAX = 1_000;

export interface HttpServerOptions {
  readonly log: Logger;
  /** Most bytes of a request's body. */
  readonly bodyBytesMax: number;
  /** A TLS handshake, a request's head, and the whole request must each have arrived in this, ms. */
  readonly requestTimeoutMs: number;
  /** Most connections at a time; the next is closed at once. */
  readonly connectionsMax?: number;
  /** With these, only peers that hold a certificate of the same CA get past the TLS handshake. */
  readonly mutualTls?: LinkIdentity;
  /** Addresses or CIDRs whose `X-Forwarded-For` is believed; none by default. */
  readonly trustedProxies?: readonly string[];
}

export type HttpServer = ReturnType<typeof createHttpServer>;

/** A Fastify server whose routes take and give zod schemas. Listening is up to the caller. */
export function createHttpServer(options: HttpServerOptions) {
  const { log, mutualTls, requestTimeoutMs, trustedProxies } = options;
  const slowness = {
    connectionsCheckingInterval: SLOW_CHECK_PERIOD_MS,
    headersTimeout: requestTimeoutMs,
  };
  const server = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, _request, reply) => sendFailure(reply, toFailure(error)),
    clientErrorHandler: answerClientError,
    bodyLimit: options.bodyBytesMax,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: SILENT_CONNECTION_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxRequestsPerSocket: 0,
    routerOptions: { maxParamLength: 256 },
    trustProxy: trustedProxies && trustedProxies.length > 0 ? [...trustedProxies] : false,
    // Spread, because the types of Fastify know `http` only where `https` is not given at all.
    ...{ http: slowness },
    https: mutualTls
      ? { ...slowness, ...tlsOf(mutualTls), handshakeTimeout: requestTimeoutMs }
      : null,
    // Connections that are idle at a stop must not hold it up.
    forceCloseConnections: true,
  }).withTypeProvider<ZodTypeProvider>();

  server.server.maxConnections = options.connectionsMax ?? CONNECTIONS_MAX;
  if (mutualTls) {
    const unfollow = followIdentity(server.server, mutualTls);
    server.addHook("onClose", async () => unfollow());
  }
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setNotFoundHandler((_request, reply) =>
    sendFailure(reply, new MeridianError("not_found")),
  );
  server.setErrorHandler((error: FastifyError, request, reply) => {
    const failure = toFailure(error);
    if (failure.kind === "internal")
      request.log.error({ err: error, runbook: "request-failed" }, "a request failed");
    return sendFailure(reply, failure);
  });
  return server;
}

function sendFailure(reply: FastifyReply, failure: MeridianError): FastifyReply {
  if (failure.retryAfterMs !== undefined) {
    void reply.header("retry-after", Math.ceil(failure.retryAfterMs / 1_000));
  }
  return reply.status(failure.status).send(failure.toBody());
}

/** Answers what is no HTTP, too large a head or too slow; there is neither request nor reply for it. */
function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code !== "ECONNRESET" && socket.writable) {
    const failure = clientFailure(error.code);
    const body = JSON.stringify(failure.toBody());
    socket.write(
      `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}\r\n` +
        "content-type: application/json; charset=utf-8\r\nconnection: close\r\n" +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
  socket.destroy();
}

function clientFailure(code: string | undefined): MeridianError {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return new MeridianError("request_timeout");
  if (code === "HPE_HEADER_OVERFLOW") {
    return new MeridianError("payload_too_large", { message: "The headers are too large." });
  }
  return new MeridianError("bad_request", { message: "This is not HTTP." });
}

function tlsOf(identity: LinkIdentity) {
  return { ...identity.current, requestCert: true, rejectUnauthorized: true };
}

/** Handshakes from now on are made with the credentials of the day. */
function followIdentity(server: unknown, identity: LinkIdentity): Cancel {
  return identity.onReplaced((credentials) => {
    if (server instanceof TlsServer) server.setSecureContext(credentials);
  });
}

function toFailure(error: FastifyError): MeridianError {
  if (isFailure(error)) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    return new MeridianError("bad_request", { message: error.message, cause: error });
  }
  if (error.statusCode === 413) return new MeridianError("payload_too_large", { cause: error });
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return new MeridianError("bad_request", { message: error.message, cause: error });
  }
  return new MeridianError("internal", { cause: error });
}
