/**
 * Which web origins may call the players' API from a browser.
 *
 * An origin on the list is named in the answer, with credentials allowed: stock Colyseus clients send
 * every call with `credentials: "include"` (we set no cookies, so they carry nothing). An origin that is
 * not on the list is never echoed. `*` on the list lets every origin in without credentials: our own
 * client works then, a stock one in a browser of another origin does not.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";

const PREFLIGHT_S = 600;

/** The setting's form: origins as browsers send them, or `*`. */
export const PublicOrigin = z.string().refine((text) => text === "*" || isOrigin(text), {
  error: (issue) => `"${issue.input}" is not an origin such as https://play.example.org, nor *`,
});

export function addCors(server: HttpServer, origins: readonly string[]): void {
  const listed = new Set(origins);
  const everyone = listed.has("*");
  server.addHook("onRequest", async (request, reply) => {
    const { origin } = request.headers;
    if (origin === undefined) return;
    void reply.header("vary", "origin");
    const allowed = allow(reply, origin, listed, everyone);
    if (!isPreflight(request)) return;
    if (!allowed && !isSameOrigin(request, origin)) throw new MeridianError("origin_refused");
    await reply
      .header("access-control-allow-methods", "GET, POST, PATCH, OPTIONS")
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

function isSameOrigin(request: FastifyRequest, origin: string): boolean {
  return origin === `${request.protocol}://${request.host}`;
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text && text !== "null";
}
