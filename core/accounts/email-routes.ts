/** `/v1/emails/*`, `/v1/me/email`, `/v1/me/password`. */
import type { HttpServer } from "../../shared/http-server.ts";
import * as protocol from "../../shared/protocol/emails.ts";
import { Done } from "../../shared/protocol/link.ts";
import { failures } from "../http/failures.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import type { AccountsData } from "./account-data.ts";
import type { EmailAccounts } from "./email-accounts.ts";
import type { GuestGate } from "./guest-gate.ts";
import type { PasswordResets } from "./password-resets.ts";
import { BEARER, requirePlayer } from "./routes.ts";

export interface EmailRouteDeps {
  readonly emails: EmailAccounts;
  readonly data: AccountsData;
  readonly resets: PasswordResets;
  readonly tokens: SignedTokens;
  readonly gate: GuestGate;
}

export function addEmailRoutes(server: HttpServer, deps: EmailRouteDeps): void {
  const { emails, gate } = deps;
  server.post(
    "/v1/emails/register",
    {
      config: { cap: "passwords" },
      schema: {
        tags: ["accounts"],
        summary: "Make an account with an e-mail address and a password",
        body: protocol.RegisterRequest,
        response: {
          200: protocol.EmailLogInAnswer,
          ...failures("conflict", "too_many_requests", "banned"),
        },
      },
    },
    (request) => {
      const { email, password, name, device } = request.body;
      // A new account is a new account: the same limit as for guests.
      gate.take(request.ip);
      return emails.register({ email, password }, { name, device, address: request.ip });
    },
  );
  server.post(
    "/v1/emails/log-in",
    {
      config: { cap: "passwords" },
      schema: {
        tags: ["accounts"],
        summary: "Log in with an e-mail address and a password",
        body: protocol.EmailLogInRequest,
        response: {
          200: protocol.EmailLogInAnswer,
          ...failures("unauthorized", "too_many_requests", "banned"),
        },
      },
    },
    (request) => {
      const { email, password, device, deviceToken } = request.body;
      return emails.logIn({ email, password }, { device, deviceToken, address: request.ip });
    },
  );
  addOwnRoutes(server, deps);
  addResetRoutes(server, deps);
}

function addOwnRoutes(server: HttpServer, { emails, data, tokens }: EmailRouteDeps): void {
  server.post(
    "/v1/me/email",
    {
      config: { cap: "passwords" },
      schema: {
        tags: ["accounts"],
        summary: "Link an e-mail address and a password to the account",
        security: BEARER,
        body: protocol.LinkEmailRequest,
        response: {
          200: protocol.LinkEmailAnswer,
          ...failures("unauthorized", "token_expired", "conflict", "too_many_requests", "banned"),
        },
      },
    },
    async (request) => {
      const { proof, ...credentials } = request.body;
      const playerId = await requirePlayer(request, tokens);
      await data.requireProof(playerId, proof, request.ip);
      return await emails.link(playerId, credentials, request.ip);
    },
  );
  server.post(
    "/v1/me/password",
    {
      config: { cap: "passwords" },
      schema: {
        tags: ["accounts"],
        summary: "Change the password; every other log-in ends",
        security: BEARER,
        body: protocol.PasswordChange,
        response: {
          200: protocol.EmailLogInAnswer,
          ...failures("unauthorized", "token_expired", "too_many_requests", "banned"),
        },
      },
    },
    async (request) => {
      const { device, ...change } = request.body;
      const playerId = await requirePlayer(request, tokens);
      return await emails.changePassword(playerId, change, { device, address: request.ip });
    },
  );
}

function addResetRoutes(server: HttpServer, { resets }: EmailRouteDeps): void {
  server.post(
    "/v1/emails/reset",
    {
      schema: {
        tags: ["accounts"],
        summary: "Ask for a link by mail that sets a new password",
        description: "Answers the same whether there is an account of that address or not.",
        body: protocol.ResetRequest,
        response: { 200: Done, ...failures("too_many_requests") },
      },
    },
    async (request) => {
      const { email, deviceToken } = request.body;
      resets.request(email, { deviceToken, address: request.ip });
      return { ok: true as const };
    },
  );
  server.post(
    "/v1/emails/reset/confirm",
    {
      config: { cap: "token_calls" },
      schema: {
        tags: ["accounts"],
        summary: "Set a new password with the token of the mail; every log-in ends",
        body: protocol.ResetConfirm,
        response: { 200: protocol.EmailLogInAnswer, ...failures("reset_invalid", "banned") },
      },
    },
    (request) => {
      const { token, password, device } = request.body;
      return resets.confirm(token, password, { device, address: request.ip });
    },
  );
}
