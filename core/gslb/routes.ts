/** Where one could play: `GET /v1/regions`, and where one would: `/v1/route`. */
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import { GameName } from "../../shared/ids.ts";
import { type RegionInfo, RegionsAnswer, RoundTripsReport } from "../../shared/protocol/join.ts";
import { RouteAnswer, RouteQuery } from "../../shared/protocol/route.ts";
import { failures } from "../http/failures.ts";
import { liveNodes, offeredSeats, regionStateOf } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { RegionRecord } from "../regions/registry-step.ts";
import type { Candidates } from "./candidates.ts";
import { explain } from "./explain.ts";
import type { GeoLocator } from "./geo-locator.ts";
import { rank } from "./ranking.ts";
import { ROUTED, type RouteMetrics } from "./route-metrics.ts";
import type { Router } from "./router.ts";

export interface GslbRouteDeps {
  readonly registry: Registry;
  readonly candidates: Candidates;
  readonly locator: GeoLocator;
  readonly router: Router;
  readonly metrics: RouteMetrics;
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
  addRouteRoutes(server, deps);
}

function addRouteRoutes(server: HttpServer, { router, metrics }: GslbRouteDeps): void {
  const schema = {
    tags: ["joining"],
    querystring: RouteQuery,
    response: {
      200: RouteAnswer,
      ...failures(
        "unknown_game",
        "unknown_region",
        "no_region",
        "region_full",
        "overloaded",
        "update_required",
      ),
    },
  };
  const answer = (address: string, query: RouteQuery, measured?: RoundTripsReport): RouteAnswer => {
    const { explain: explained, ...wish } = query;
    const request = { address, ...wish, measured };
    if (explained !== "1") return metrics.counted("route", () => router.answer(request));
    const outcomeOf = ({ regionId }: RouteAnswer) => (regionId === null ? "no_region" : ROUTED);
    return metrics.counted("route", () => router.explain(request), outcomeOf);
  };
  server.get(
    "/v1/route",
    { schema: { ...schema, summary: "To which region the caller would be sent, and why" } },
    async (request) => answer(request.ip, request.query),
  );
  server.post(
    "/v1/route",
    {
      schema: {
        ...schema,
        summary: "The same with what the client measured, as its join would",
        body: RoundTripsReport,
      },
    },
    async (request) => answer(request.ip, request.query, request.body),
  );
}

function infoOf(region: RegionRecord): RegionInfo {
  const { id, name, latitude, longitude, capacity } = region.spec;
  const live = liveNodes(region);
  const state = regionStateOf(region);
  const reported = live.reduce((sum, node) => sum + offeredSeats(region, node), 0);
  return {
    regionId: id,
    name,
    latitude,
    longitude,
    // To players a fenced region is as good as down: nobody plays there, nor measures the way. Nor do new ones
    // go to one that the core does not reach.
    state: state === "fenced" || state === "isolated" ? "down" : state,
    publicAddress: (state !== "fenced" && live[0]?.heartbeat.publicAddress) || null,
    players: live.reduce((sum, node) => sum + node.heartbeat.connected, 0),
    capacity: live.length > 0 ? reported : capacity,
  };
}
