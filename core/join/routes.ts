/** `POST /v1/join`, `/v1/join/renew`, `/v1/reconnect`, `PUT /v1/me/round-trips`. */
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import {
  JoinAnswer,
  JoinOutcome,
  JoinRequest,
  PartyReport,
  ReconnectRequest,
  RenewRequest,
} from "../../shared/protocol/join.ts";
import { requirePlayer } from "../accounts/routes.ts";
import { failures } from "../http/failures.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import { callerOf } from "./caller.ts";
import type { Joins } from "./joins.ts";
import type { RegionFinder } from "./region-finder.ts";

export interface JoinRouteDeps {
  readonly joins: Joins;
  readonly regions: RegionFinder;
  readonly tokens: SignedTokens;
}

export function addJoinRoutes(server: HttpServer, deps: JoinRouteDeps): void {
  addJoinRoute(server, deps);
  addRoundTripsRoute(server, deps);
  addReturnRoutes(server, deps);
}

function addJoinRoute(server: HttpServer, { joins, tokens }: JoinRouteDeps): void {
  server.post(
    "/v1/join",
    {
      config: { cap: "joins" },
      schema: {
        tags: ["joining"],
        summary: "Take a seat in the best region, and the ticket for it, or a place in its queue",
        security: [{ bearer: [] }],
        body: JoinRequest,
        response: {
          200: JoinOutcome,
          ...failures(
            "unauthorized",
            "token_expired",
            "update_required",
            "unknown_game",
            "unknown_region",
            "room_not_found",
            "room_full",
            "region_full",
            "queued",
            "queue_full",
            "overloaded",
            "no_region",
            "party_apart",
            "too_many_requests",
            "session_taken_over",
            "forbidden",
            "banned",
          ),
        },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request, reply);
      const known = await requirePlayer(request, tokens);
      return await joins.join(request.body, { known, make: async () => known }, caller);
    },
  );
}

function addRoundTripsRoute(server: HttpServer, { regions, tokens }: JoinRouteDeps): void {
  server.put(
    "/v1/me/round-trips",
    {
      schema: {
        tags: ["joining"],
        summary: "What this player measured, for the party that another member joins with",
        security: [{ bearer: [] }],
        body: PartyReport,
        response: { 204: z.null(), ...failures("unauthorized", "token_expired") },
      },
    },
    async (request, reply) => {
      regions.note(await requirePlayer(request, tokens), request.ip, request.body);
      return reply.status(204).send(null);
    },
  );
}

/** For players who have a seat. */
function addReturnRoutes(server: HttpServer, { joins }: JoinRouteDeps): void {
  server.post(
    "/v1/join/renew",
    {
      config: { cap: "returns" },
      schema: {
        tags: ["joining"],
        summary:
          "Keep a seat while the client still loads, or get one elsewhere if its room is lost",
        body: RenewRequest,
        response: {
          200: JoinAnswer,
          ...failures(
            "ticket_invalid",
            "ticket_expired",
            "ticket_used",
            "unauthorized",
            "unknown_game",
            "room_not_found",
            "room_full",
            "region_full",
            "overloaded",
            "no_region",
            "too_many_requests",
            "session_taken_over",
            "banned",
            "forbidden",
          ),
        },
      },
    },
    (request, reply) => joins.renew(request.body, callerOf(request, reply)),
  );
  server.post(
    "/v1/reconnect",
    {
      config: { cap: "returns" },
      schema: {
        tags: ["joining"],
        summary: "A fresh ticket for the kept seat of a dropped player",
        body: ReconnectRequest,
        response: {
          200: JoinAnswer,
          ...failures(
            "unauthorized",
            "update_required",
            "room_not_found",
            "reconnect_expired",
            "session_taken_over",
            "banned",
          ),
        },
      },
    },
    (request) => joins.reconnect(request.body, request.ip),
  );
}
