/** `GET /.well-known/jwks.json`: the keys that verify tickets and access tokens. */
import type { HttpServer } from "../../shared/http-server.ts";
import { Jwks } from "../../shared/protocol/ticket.ts";
import { failures } from "../http/failures.ts";
import type { Keyring } from "./keyring.ts";

export function addKeyRoutes(server: HttpServer, keyring: Keyring): void {
  server.get(
    "/.well-known/jwks.json",
    {
      schema: {
        tags: ["accounts"],
        summary: "The public keys, newest first",
        response: { 200: Jwks, ...failures() },
      },
    },
    async (_request, reply) => {
      void reply.header("cache-control", "public, max-age=5");
      return keyring.jwks();
    },
  );
}
