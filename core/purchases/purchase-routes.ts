/** `/v1/me/purchases`. */
import type { HttpServer } from "../../shared/http-server.ts";
import { PurchaseAnswer, PurchaseRequest } from "../../shared/protocol/purchases.ts";
import { BEARER, requirePlayer } from "../accounts/routes.ts";
import { failures } from "../http/failures.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import type { Purchases } from "./purchases.ts";

export interface PurchaseRouteDeps {
  readonly purchases: Purchases;
  readonly tokens: SignedTokens;
}

const refusals = failures(
  "unauthorized",
  "token_expired",
  "not_found",
  "conflict",
  "value_refused",
  "receipt_refused",
  "too_many_requests",
  "unavailable",
);

export function addPurchaseRoutes(server: HttpServer, deps: PurchaseRouteDeps): void {
  const { purchases, tokens } = deps;
  server.post(
    "/v1/me/purchases",
    {
      config: { cap: "purchases" },
      schema: {
        tags: ["accounts"],
        summary: "Grant what a store's receipt says the player bought",
        description:
          "Once for each transaction of a store: shown again, a receipt answers `alreadyGranted`. A " +
          "refusal other than `receipt_refused`, `conflict` and `not_found` passes: try again later.",
        security: BEARER,
        body: PurchaseRequest,
        response: { 200: PurchaseAnswer, ...refusals },
      },
    },
    async (request) => {
      const playerId = await requirePlayer(request, tokens);
      return await purchases.grant(playerId, request.body);
    },
  );
}
