/** `GET /v1/regions`: where one could play, in the order a join would try, and what to measure. */
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import { GameName } from "../../shared/ids.ts";
import { type RegionInfo, RegionsAnswer } from "../../shared/protocol/join.ts";
import { failures } from "../http/failures.ts";
import { liveNodes, regionStateOf } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { RegionRecord } from "../regions/registry-step.ts";
import type { Candidates } from "./candidates.ts";
import { explain } from "./explain.ts";
import type { GeoLocator } from "./geo-locator.ts";
import { rank } from "./ranking.ts";

export interface GslbRouteDeps {
  readonly registry: Registry;
  readonly candidates: Candidates;
  readonly locator: GeoLocator;
}

export function addGslbRoutes(server: HttpServer, deps: GslbRouteDeps): void {
  const { registry, candidates, locator } = deps;
  server.get(
    "/v1/regions",
    {
      schema: {
        tags: ["joining"],
        summary: "All regions, ranked for the caller",
        querystring: z.object({ game: GameName.optional() }),
        response: { 200: RegionsAnswer, ...failures() },
      },
    },
    async (request): Promise<RegionsAnswer> => {
      const place = locator.locate(request.ip);
      const ranked = rank(candidates.for({ game: request.query.game }), { place });
      const ranking = ranked.map((one) => explain(one, { place }));
      const infos = ranking.flatMap(({ regionId }) => {
        const region = registry.region(regionId);
        return region ? [infoOf(region)] : [];
      });
      const playersOnline = infos.reduce((sum, info) => sum + info.players, 0);
      return { regions: infos, ranking, playersOnline };
    },
  );
}

function infoOf(region: RegionRecord): RegionInfo {
  const { id, name, latitude, longitude, capacity } = region.spec;
  const live = liveNodes(region);
  const state = regionStateOf(region);
  const reported = live.reduce((sum, node) => sum + node.heartbeat.capacity, 0);
  return {
    regionId: id,
    name,
    latitude,
    longitude,
    // To players a fenced region is as good as down: nobody plays there, nor measures the way.
    state: state === "fenced" ? "down" : state,
    publicAddress: (state !== "fenced" && live[0]?.heartbeat.publicAddress) || null,
    players: live.reduce((sum, node) => sum + node.heartbeat.connected, 0),
    capacity: live.length > 0 ? reported : capacity,
  };
}
