/** `/v1/tokens/exchange`, `/v1/me/export`, `/v1/me/delete`. */
import type { HttpServer } from "../../shared/http-server.ts";
import { AccountData, ExchangeRequest, ProofRequest } from "../../shared/protocol/account-data.ts";
import { TokenPair } from "../../shared/protocol/accounts.ts";
import { Done } from "../../shared/protocol/link.ts";
import { failures } from "../http/failures.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import type { AccountsData } from "./account-data.ts";
import type { GuestGate } from "./guest-gate.ts";
import type { Identities } from "./identities.ts";
import { BEARER, requirePlayer } from "./routes.ts";

export interface DataRouteDeps {
  readonly data: AccountsData;
  readonly identities: Identities;
  readonly tokens: SignedTokens;
  readonly gate: GuestGate;
}

const refusals = failures("unauthorized", "token_expired", "too_many_requests");

export function addDataRoutes(server: HttpServer, deps: DataRouteDeps): void {
  const { data, identities, tokens, gate } = deps;
  server.post(
    "/v1/tokens/exchange",
    {
      config: { cap: "log_ins" },
      schema: {
        tags: ["accounts"],
        summary: "Log in with a token of the studio's own identity provider",
        description:
          "The account is made at first sight, and known by the token's `iss` and `sub`.",
        body: ExchangeRequest,
        response: {
          200: TokenPair,
          ...failures("unauthorized", "token_expired", "too_many_requests", "banned"),
        },
      },
    },
    (request) => {
      const { token, device } = request.body;
      gate.takeLogIn(request.ip);
      // A new account is a new account: the same limit as for guests.
      return identities.exchange(token, { device, newcomer: () => gate.take(request.ip) });
    },
  );
  server.post(
    "/v1/me/export",
    {
      schema: {
        tags: ["accounts"],
        summary: "All that is stored of the player",
        security: BEARER,
        body: ProofRequest,
        response: { 200: AccountData, ...refusals },
      },
    },
    async (request) => {
      const playerId = await requirePlayer(request, tokens);
      await data.requireProof(playerId, request.body.proof, request.ip);
      return await data.export(playerId);
    },
  );
  server.post(
    "/v1/me/delete",
    {
      schema: {
        tags: ["accounts"],
        summary: "Delete the account for good",
        description:
          "Kept: what operators did to it, which receipts of stores it used, and a ban that holds, until " +
          "it ends.",
        security: BEARER,
        body: ProofRequest,
        response: { 200: Done, ...refusals },
      },
    },
    async (request) => {
      const playerId = await requirePlayer(request, tokens);
      await data.requireProof(playerId, request.body.proof, request.ip);
      await data.delete(playerId);
      return { ok: true as const };
    },
  );
}
