/**
 * Which web origins may call the players' API from a browser.
 *
 * A page of another origin may not change anything: a browser sends its simple POST without asking
 * first, and only keeps the answer from it. Such a call is refused, not just left without permission.
 * Who sends no origin (native games, Node, servers) is no browser, and brings nobody's authority along.
 *
 * An origin on the list is named in the answer, with credentials allowed: stock Colyseus clients send
 * every call with `credentials: "include"` (we set no cookies, so they carry nothing). An origin that is
 * not on the list is never echoed. `*` on the list lets every origin in without credentials: our own
 * client works then, a stock one in a browser of another origin does not.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "./log-pace.ts";

const PREFLIGHT_S = 600;
/** Characters of an origin in a log line. */
const ORIGIN_SHOWN_MAX = 200;
/** Those of which a browser believes that they change nothing, and sends them for any page. */
const READING_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** The setting's form: origins as browsers send them, or `*`. */
export const PublicOrigin = z.string().refine((text) => text === "*" || isOrigin(text), {
  error: (issue) => `"${issue.input}" is not an origin such as https://play.example.org, nor *`,
});

export interface CorsOptions {
  readonly origins: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export function addCors(server: HttpServer, options: CorsOptions): void {
  const listed = new Set(options.origins);
  const everyone = listed.has("*");
  const noteRefusal = refusalNotes(options);
  server.addHook("onRequest", async (request, reply) => {
    // Always: a cache must not give an answer that was made without an origin to a page that has one.
    void reply.header("vary", "origin");
    const { origin } = request.headers;
    if (origin === undefined) return;
    const allowed = allow(reply, origin, listed, everyone) || isSameOrigin(request, origin);
    const asking = isPreflight(request);
    if (!allowed && (asking || !READING_METHODS.has(request.method))) {
      noteRefusal(origin);
      throw new MeridianError("origin_refused");
    }
    if (!asking) return;
    await reply
      .header("access-control-allow-methods", "GET, POST, PUT, PATCH, OPTIONS")
      .header("access-control-allow-headers", "authorization, content-type, accept")
      .header("access-control-max-age", PREFLIGHT_S)
      .status(204)
      .send();
    return reply;
  });
}

function allow(
  reply: FastifyReply,
  origin: string,
  listed: ReadonlySet<string>,
  everyone: boolean,
): boolean {
  if (listed.has(origin)) {
    void reply.header("access-control-allow-origin", origin);
    void reply.header("access-control-allow-credentials", "true");
  } else if (everyone) {
    void reply.header("access-control-allow-origin", "*");
  } else return false;
  void reply.header("access-control-expose-headers", "retry-after");
  return true;
}

function isPreflight(request: FastifyRequest): boolean {
  return (
    request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined
  );
}

/**
 * By its address; or because the browser says so, which counts where a proxy in front of us ends TLS and
 * we don't know the scheme. No page can set that header.
 */
function isSameOrigin(request: FastifyRequest, origin: string): boolean {
  const own = `${request.protocol}://${request.host}`;
  return origin === own || request.headers["sec-fetch-site"] === "same-origin";
}

function refusalNotes({ clock, log, metrics }: CorsOptions): (origin: string) => void {
  const pace = new LogPace();
  const refused = new Counter({
    name: "meridian_origins_refused_total",
    help: "Calls of web pages whose origin is not on the list.",
    registers: [metrics],
  });
  return (origin) => {
    refused.inc();
    const held = pace.permit(clock.monotonicMs());
    if (held === undefined) return;
    const shown = origin.slice(0, ORIGIN_SHOWN_MAX);
    log.warn({ origin: shown, held, runbook: "core-origins" }, "a web origin was refused");
  };
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text && text !== "null";
}
