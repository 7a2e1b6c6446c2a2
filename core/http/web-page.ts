/**
 * The page, from a folder of built files, and the headers that every answer carries.
 *
 * Files whose name holds a content hash never change and are cached for a year; everything else is
 * asked for again each time and answered with 304 when it is the same.
 */
import fastifyStatic from "@fastify/static";
import type { HttpServer } from "../../shared/http-server.ts";

const HASHED = /[-.][A-Za-z0-9_-]{8,}\.(?:js|css|woff2|png|svg|webp|map)$/;

/** Regions are other hosts and ports, known only at run time: connections may go anywhere. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "connect-src 'self' http: https: ws: wss:",
  "img-src 'self' data: blob:",
  "style-src 'self' 'unsafe-inline'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export function addSecurityHeaders(server: HttpServer): void {
  server.addHook("onSend", async (_request, reply) => {
    void reply.header("x-content-type-options", "nosniff");
    void reply.header("referrer-policy", "no-referrer");
    // Most answers hold tokens or tickets; a route whose answer may be kept says so itself.
    if (!reply.hasHeader("cache-control")) void reply.header("cache-control", "no-store");
    const type = String(reply.getHeader("content-type") ?? "");
    if (!type.startsWith("text/html") || reply.hasHeader("content-security-policy")) return;
    void reply.header("content-security-policy", CONTENT_SECURITY_POLICY);
  });
}

/** Serves `dir` at `/`. */
export async function addWebPage(server: HttpServer, dir: string): Promise<void> {
  await server.register(fastifyStatic, {
    root: dir,
    cacheControl: false,
    // A page's own files are named relative to it, so its address must end with a slash.
    redirect: true,
    schemaHide: true,
    setHeaders(reply, path) {
      const immutable = HASHED.test(path);
      void reply.header(
        "cache-control",
        immutable ? "public, max-age=31536000, immutable" : "no-cache",
      );
    },
  });
}
