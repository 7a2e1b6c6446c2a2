/** `/v1/me/possessions`. */
import type { HttpServer } from "../../shared/http-server.ts";
import { Possessions } from "../../shared/protocol/value.ts";
import { BEARER, requirePlayer } from "../accounts/routes.ts";
import type { Database } from "../db/database.ts";
import { failures } from "../http/failures.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import { possessionsOf } from "./possessions.ts";

export interface ValueRouteDeps {
  readonly database: Database;
  readonly tokens: SignedTokens;
}

export function addValueRoutes(server: HttpServer, { database, tokens }: ValueRouteDeps): void {
  server.get(
    "/v1/me/possessions",
    {
      schema: {
        tags: ["accounts"],
        summary: "What the player owns: balances, and up to 1,000 items",
        security: BEARER,
        response: { 200: Possessions, ...failures("unauthorized", "token_expired") },
      },
    },
    async (request) => possessionsOf(database, await requirePlayer(request, tokens)),
  );
}
