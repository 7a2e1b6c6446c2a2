/** `/v1/guests`, `/v1/tokens/*`, `/v1/me`. More of accounts is in `email-routes.ts`, `data-routes.ts`. */
import type { FastifyRequest } from "fastify";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import type { PlayerId } from "../../shared/ids.ts";
import * as protocol from "../../shared/protocol/accounts.ts";
import { Done } from "../../shared/protocol/link.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import type { Accounts } from "./accounts.ts";
import type { GuestGate } from "./guest-gate.ts";
import type { LogIns } from "./log-ins.ts";

export interface AccountRouteDeps {
  readonly accounts: Accounts;
  readonly logIns: LogIns;
  readonly tokens: SignedTokens;
  readonly gate: GuestGate;
}

/** The player whom the request's access token names; undefined when it brings none. */
export async function playerOf(
  request: FastifyRequest,
  tokens: SignedTokens,
): Promise<PlayerId | undefined> {
  const token = bearerOf(request.headers.authorization);
  return token === undefined ? undefined : await tokens.verifyAccess(token);
}

/** @throws {MeridianError} `unauthorized` when the request brings no access token */
export async function requirePlayer(
  request: FastifyRequest,
  tokens: SignedTokens,
): Promise<PlayerId> {
  const playerId = await playerOf(request, tokens);
  if (playerId === undefined) throw new MeridianError("unauthorized");
  return playerId;
}

/** For the schema of a route that needs an access token. */
export const BEARER = [{ bearer: [] }];

export function addAccountRoutes(server: HttpServer, deps: AccountRouteDeps): void {
  const { accounts, logIns, tokens, gate } = deps;
  server.post(
    "/v1/guests",
    {
      config: { cap: "log_ins" },
      schema: {
        tags: ["accounts"],
        summary: "Make a guest, or log in again with the secret of one",
        body: protocol.GuestRequest,
        response: {
          200: protocol.GuestAnswer,
          ...failures("unauthorized", "too_many_requests", "banned"),
        },
      },
    },
    async (request) => {
      const { secret, name, device } = request.body;
      if (secret !== undefined) {
        gate.takeLogIn(request.ip);
        return await accounts.logInGuest(secret, { name, device });
      }
      gate.take(request.ip);
      return await accounts.createGuest({ name, device });
    },
  );
  server.post(
    "/v1/tokens/refresh",
    {
      config: { cap: "refreshes" },
      schema: {
        tags: ["accounts"],
        summary: "Exchange a refresh token for the next pair",
        body: protocol.RefreshRequest,
        response: {
          200: protocol.TokenPair,
          ...failures("unauthorized", "token_reused", "too_many_requests", "banned"),
        },
      },
    },
    (request) => {
      const { refreshToken, device } = request.body;
      return logIns.refresh(refreshToken, device);
    },
  );
  server.post(
    "/v1/tokens/revoke",
    {
      config: { cap: "token_calls" },
      schema: {
        tags: ["accounts"],
        summary: "Log out: end the refresh token's whole family",
        body: protocol.RevokeRequest,
        response: { 200: Done, ...failures() },
      },
    },
    async (request) => {
      await logIns.revoke(request.body.refreshToken);
      return { ok: true as const };
    },
  );
  server.post(
    "/v1/tokens/revoke-all",
    {
      schema: {
        tags: ["accounts"],
        summary: "Log out everywhere: end every log-in of the player, and the session in a room",
        security: BEARER,
        body: protocol.RevokeAllRequest,
        response: { 200: protocol.RevokeAllAnswer, ...failures("unauthorized", "token_expired") },
      },
    },
    async (request) =>
      accounts.logOutEverywhere(await requirePlayer(request, tokens), request.body.secret),
  );
  server.get(
    "/v1/me",
    {
      schema: {
        tags: ["accounts"],
        summary: "Who the access token names",
        security: BEARER,
        response: { 200: protocol.Me, ...failures("unauthorized", "token_expired") },
      },
    },
    async (request) => accounts.me(await requirePlayer(request, tokens)),
  );
  server.patch(
    "/v1/me",
    {
      schema: {
        tags: ["accounts"],
        summary: "Change the shown name",
        security: BEARER,
        body: protocol.MeChange,
        response: { 200: protocol.Me, ...failures("unauthorized", "token_expired") },
      },
    },
    async (request) => accounts.rename(await requirePlayer(request, tokens), request.body.name),
  );
}
