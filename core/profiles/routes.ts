/** `GET /v1/players/{id}`, `GET /v1/players?name=…`; for regions `POST /link/profiles`. */
import { z } from "zod";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import {
  AskedId,
  NAMESAKES_MAX,
  Namesakes,
  NamesakesQuery,
  Profile,
  ProfilesAnswer,
  ProfilesRequest,
} from "../../shared/protocol/profiles.ts";
import { BEARER, requirePlayer } from "../accounts/routes.ts";
import { failures } from "../http/failures.ts";
import type { SignedTokens } from "../tickets/signed-tokens.ts";
import type { LookUpLimit } from "./look-up-limit.ts";
import type { Profiles } from "./profiles.ts";

export interface ProfileRouteDeps {
  readonly profiles: Profiles;
  readonly lookUpLimit: LookUpLimit;
  readonly tokens: SignedTokens;
}

const refusals = ["unauthorized", "token_expired", "too_many_requests"] as const;

export function addProfileRoutes(server: HttpServer, deps: ProfileRouteDeps): void {
  const { profiles, lookUpLimit, tokens } = deps;
  server.get(
    "/v1/players/:playerId",
    {
      schema: {
        tags: ["players"],
        summary: "What others may see of a player",
        security: BEARER,
        params: z.object({ playerId: AskedId }),
        response: { 200: Profile, ...failures(...refusals, "not_found") },
      },
    },
    async (request) => {
      lookUpLimit.take(await requirePlayer(request, tokens));
      const profile = await profiles.find(request.params.playerId);
      if (profile) return profile;
      throw new MeridianError("not_found", { message: "There is no such player." });
    },
  );
  server.get(
    "/v1/players",
    {
      schema: {
        tags: ["players"],
        summary: "Players of that very name",
        description:
          `Names are not unique: those who were made first, ${NAMESAKES_MAX} at most. Guests whom a ` +
          "stock client made for one session are found by their id only.",
        security: BEARER,
        querystring: NamesakesQuery,
        response: { 200: Namesakes, ...failures(...refusals) },
      },
    },
    async (request): Promise<Namesakes> => {
      lookUpLimit.take(await requirePlayer(request, tokens));
      return { players: [...(await profiles.namesakes(request.query.name))] };
    },
  );
}

/** On the link's server, whose hook lets only regions call. */
export function addProfileLinkRoutes(server: HttpServer, profiles: Profiles): void {
  server.post(
    "/link/profiles",
    {
      schema: {
        body: ProfilesRequest,
        response: { 200: ProfilesAnswer, ...failures("forbidden") },
      },
    },
    (request) => profiles.findAll(request.body.ids),
  );
}
