/** `/ops/route` on the private port: where an address would be sent, and why. */
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import { ExplainedRoute } from "../../shared/protocol/route.ts";
import type { Router } from "../gslb/router.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { Registry } from "../regions/registry.ts";
import type { Operators } from "./operators.ts";
import { RouteOpsQuery } from "./route-query.ts";
import { noRegion } from "./routes.ts";

export interface RouteOpsDeps {
  readonly operators: Operators;
  readonly registry: Registry;
  readonly router: Router;
}

const refusals = failures("unauthorized", "forbidden", "not_found", "unknown_game");

export function addRouteOpsRoutes(server: HttpServer, deps: RouteOpsDeps): void {
  const { operators, registry, router } = deps;
  server.get(
    "/ops/route",
    { schema: { querystring: RouteOpsQuery, response: { 200: ExplainedRoute, ...refusals } } },
    async (request) => {
      await operators.authorise(bearerOf(request.headers.authorization), "route", "viewer");
      const { ip, game, region, roundTrips } = request.query;
      const measured = Object.keys(roundTrips ?? {}).map((id) => RegionId.parse(id));
      for (const id of region === undefined ? measured : [region, ...measured]) {
        if (!registry.region(id)) throw noRegion(id, deps);
      }
      return router.explain({
        address: ip,
        game,
        region,
        measured: roundTrips && { roundTripsMs: roundTrips },
      });
    },
  );
}
