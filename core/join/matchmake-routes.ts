/**
 * Colyseus' own matchmaking, for unmodified `@colyseus/sdk` clients that know only the core's URL:
 * `POST /matchmake/{joinOrCreate,create,join,joinById,reconnect}/{name or room id}`.
 *
 * The body is what the game passed as join options. A client that set no `client.auth.token` gets a
 * guest of its own for this one session, within the same limits as any guest.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { GameName, type PlayerId, RoomId } from "../../shared/ids.ts";
import {
  JoinMode,
  JoinOptions,
  ReconnectionToken,
  type SeatReservation as Reservation,
  SeatReservation,
} from "../../shared/protocol/join.ts";
import { PROTOCOL_VERSION } from "../../shared/protocol/version.ts";
import type { Accounts } from "../accounts/accounts.ts";
import type { GuestGate } from "../accounts/guest-gate.ts";
import { playerOf } from "../accounts/routes.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import { type Caller, callerOf } from "./caller.ts";
import { colyseusBody, colyseusFailures } from "./colyseus-errors.ts";
import type { Joins } from "./joins.ts";

export interface MatchmakeRouteDeps {
  readonly joins: Joins;
  readonly accounts: Accounts;
  readonly tokens: SignedTokens;
  readonly gate: GuestGate;
}

const RECONNECT_PATH = "/matchmake/reconnect/:name";
const Params = z.object({ method: z.string().max(32), name: z.string().max(64) });
/** What it must be depends on the method, so it is parsed after that; here it is only described. */
const Body = z.unknown().meta({
  type: "object",
  description: "The game's join options, 4 KiB at most; for `reconnect`, the reconnection token.",
  properties: { reconnectionToken: { type: "string", description: "With `reconnect` only." } },
  additionalProperties: true,
});
const ReconnectBody = z.object({ reconnectionToken: ReconnectionToken });

export function addMatchmakeRoutes(server: HttpServer, deps: MatchmakeRouteDeps): void {
  server.post(
    "/matchmake/:method/:name",
    {
      config: { cap: "joins" },
      errorHandler: answerFailure,
      schema: {
        tags: ["colyseus"],
        summary: "Matchmaking of stock Colyseus clients",
        description: "Methods: joinOrCreate, create, join, joinById; and `reconnect`, apart.",
        security: [{ bearer: [] }, {}],
        params: Params,
        body: Body,
        response: { 200: SeatReservation, ...colyseusFailures() },
      },
    },
    (request, reply) => {
      const caller = callerOf(request, reply);
      return matchmake({ request, caller, params: request.params }, deps);
    },
  );
  // Apart from the others, so that a storm of joins does not hold up who has a seat.
  server.post(
    RECONNECT_PATH,
    {
      config: { cap: "returns" },
      errorHandler: answerFailure,
      schema: {
        tags: ["colyseus"],
        summary: "The way back of stock Colyseus clients to a kept seat",
        params: Params.pick({ name: true }),
        body: Body,
        response: { 200: SeatReservation, ...colyseusFailures() },
      },
    },
    async (request) => {
      const { reconnectionToken } = parse(ReconnectBody, request.body);
      const roomId = parse(RoomId, request.params.name);
      const reconnect = { roomId, reconnectionToken, protocol: PROTOCOL_VERSION };
      return (await deps.joins.reconnect(reconnect, request.ip)).reservation;
    },
  );
}

interface Call {
  readonly request: FastifyRequest;
  readonly caller: Caller;
  readonly params: z.infer<typeof Params>;
}

async function matchmake(
  { request, caller, params: { method, name } }: Call,
  deps: MatchmakeRouteDeps,
): Promise<Reservation> {
  const mode = JoinMode.safeParse(method);
  if (!mode.success) {
    throw new MeridianError("not_found", { message: `There is no method "${method}".` });
  }
  const byId = mode.data === "joinById";
  const join = {
    mode: mode.data,
    game: byId ? undefined : parse(GameName, name),
    ...(byId ? { roomId: parse(RoomId, name) } : {}),
    options: parse(JoinOptions, request.body ?? {}),
    protocol: PROTOCOL_VERSION,
  };
  const known = await playerOf(request, deps.tokens);
  const joiner = { known, make: () => makeGuest(request, deps) };
  const outcome = await deps.joins.join(join, joiner, caller);
  // Not for a client that did not say that it can wait.
  if ("queue" in outcome) throw new MeridianError("queued");
  return outcome.reservation;
}

async function makeGuest(request: FastifyRequest, deps: MatchmakeRouteDeps): Promise<PlayerId> {
  deps.gate.take(request.ip);
  return await deps.accounts.createEphemeral();
}

function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new MeridianError("bad_request", { message: z.prettifyError(parsed.error) });
}

function answerFailure(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const failure = toFailure(error);
  if (failure.kind === "internal") request.log.error({ err: error }, "a request failed");
  if (failure.retryAfterMs !== undefined) {
    void reply.header("retry-after", Math.ceil(failure.retryAfterMs / 1_000));
  }
  const body = colyseusBody(failure, methodOf(request));
  void reply.status(body.code).send(body);
}

function methodOf({ params, routeOptions: { url } }: FastifyRequest): string {
  if (url === RECONNECT_PATH) return "reconnect";
  const parsed = Params.safeParse(params);
  return parsed.success ? parsed.data.method : "";
}

function toFailure(error: FastifyError): MeridianError {
  if (isFailure(error)) return error;
  const status = error.statusCode ?? 500;
  if (status === 413) return new MeridianError("payload_too_large", { cause: error });
  if (status >= 500) return new MeridianError("internal", { cause: error });
  return new MeridianError("bad_request", { message: error.message, cause: error });
}
