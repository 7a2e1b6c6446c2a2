/** `/ops/capacity` on the private port: what load tests found that one node of a region takes. */
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import {
  CapacitiesAnswer,
  CapacityAnswer,
  CapacityRequest,
  LiftAnswer,
  LiftRequest,
  type StoredLimit,
} from "../../shared/protocol/ops-capacity.ts";
import type { Capacity } from "../capacity/capacity.ts";
import { type CapacityLimit, seatLimitsOf, seatsWithin } from "../capacity/seat-limits.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import { liveNodes, offeredSeats, seatsTaken } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { Operators } from "./operators.ts";
import { noRegion } from "./routes.ts";

export interface CapacityRouteDeps {
  readonly operators: Operators;
  readonly registry: Registry;
  readonly capacity: Capacity;
}

const refusals = failures("unauthorized", "forbidden", "not_found", "bad_request");

export function addCapacityRoutes(server: HttpServer, deps: CapacityRouteDeps): void {
  const { operators, registry, capacity } = deps;
  server.get(
    "/ops/capacity",
    { schema: { response: { 200: CapacitiesAnswer, ...refusals } } },
    async (request): Promise<CapacitiesAnswer> => {
      await operators.authorise(bearerOf(request.headers.authorization), "capacity", "viewer");
      const flags = capacity.flags().map((one) => ({ ...one, flag: "unmeasured_build" as const }));
      const lifted = [...capacity.lifted].map(([regionId, untilMs]) => ({
        regionId,
        until: new Date(untilMs).toISOString(),
      }));
      return { margin: capacity.margin, limits: storedLimits(capacity), lifted, flags };
    },
  );
  server.post(
    "/ops/regions/:regionId/capacity",
    {
      schema: {
        params: z.object({ regionId: RegionId }),
        body: CapacityRequest,
        response: { 200: CapacityAnswer, ...refusals },
      },
    },
    async (request): Promise<CapacityAnswer> => {
      const { regionId } = request.params;
      const { dryRun, ...limit } = request.body;
      const action = "store capacity";
      const token = bearerOf(request.headers.authorization);
      const operator = await operators.authorise(token, action, "operator", regionId);
      const region = registry.region(regionId);
      if (!region) throw noRegion(regionId, deps);
      const added = { ...limit, regionId, by: operator.name };
      const limits = seatLimitsOf(capacity.with(added), capacity.margin).get(regionId);
      const nodes = liveNodes(region).map((node) => ({
        nodeId: node.nodeId,
        build: node.heartbeat.build,
        before: offeredSeats(region, node),
        after: offeredSeats({ ...region, limits }, node),
        taken: seatsTaken(node),
      }));
      const audited = { operator, action, subject: regionId, details: limit, dryRun };
      if (dryRun) await operators.audit.note(audited);
      else await operators.audit.once(audited, (record) => capacity.store(added, record));
      const { playersPerNode } = limit;
      const seatsPerNode = seatsWithin(playersPerNode, capacity.margin);
      return { regionId, dryRun, playersPerNode, seatsPerNode, nodes };
    },
  );
  server.post(
    "/ops/regions/:regionId/capacity/lift",
    {
      schema: {
        params: z.object({ regionId: RegionId }),
        body: LiftRequest,
        response: { 200: LiftAnswer, ...refusals },
      },
    },
    async (request): Promise<LiftAnswer> => {
      const { regionId } = request.params;
      const { forS, dryRun } = request.body;
      const action = "lift capacity";
      const token = bearerOf(request.headers.authorization);
      const operator = await operators.authorise(token, action, "operator", regionId);
      if (!registry.region(regionId)) throw noRegion(regionId, deps);
      const details = { forS };
      await operators.audit.note({ operator, action, subject: regionId, details, dryRun });
      const untilMs = dryRun ? capacity.lifted.get(regionId) : capacity.lift(regionId, forS);
      const liftedUntil = untilMs === undefined ? null : new Date(untilMs).toISOString();
      return { regionId, dryRun, liftedUntil };
    },
  );
}

function storedLimits({ limits, margin }: Pick<Capacity, "limits" | "margin">): StoredLimit[] {
  const seen = new Set<string>();
  return limits.map((limit) => {
    const key = JSON.stringify([limit.regionId, limit.build]);
    const current = !seen.has(key);
    seen.add(key);
    return { ...toldOf(limit), seatsPerNode: seatsWithin(limit.playersPerNode, margin), current };
  });
}

function toldOf(limit: CapacityLimit): Omit<StoredLimit, "seatsPerNode" | "current"> {
  return {
    regionId: limit.regionId,
    playersPerNode: limit.playersPerNode,
    build: limit.build,
    measuredAt: new Date(limit.measuredAtMs).toISOString(),
    hardware: limit.hardware,
    serviceLevel: limit.serviceLevel,
    evidence: limit.evidence,
    storedAt: new Date(limit.storedAtMs).toISOString(),
    storedBy: limit.storedBy,
  };
}
