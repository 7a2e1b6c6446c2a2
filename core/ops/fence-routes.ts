/** `/ops/regions/:regionId/fence` on the private port: ends a region's life, and lets it begin the next. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Epoch } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import { liveNodes } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import type { AuditedAction } from "./audit-log.ts";
import type { Operators } from "./operators.ts";
import { noRegion } from "./routes.ts";
import { FenceAnswer, UnfenceAnswer } from "./schemas.ts";

export interface FenceRouteDeps {
  readonly operators: Operators;
  readonly registry: Registry;
  readonly calls: Pick<NodeCalls, "fence">;
}

const Params = z.object({ regionId: RegionId });
const refusals = failures("unauthorized", "forbidden", "not_found", "conflict");

export function addFenceRoutes(server: HttpServer, deps: FenceRouteDeps): void {
  const { operators, registry } = deps;

  async function audited(
    request: FastifyRequest,
    action: string,
    regionId: RegionId,
  ): Promise<AuditedAction> {
    const token = bearerOf(request.headers.authorization);
    const operator = await operators.authorise(token, action, "operator", regionId);
    if (!registry.region(regionId)) throw noRegion(regionId, deps);
    return { operator, action, subject: regionId };
  }

  server.post(
    "/ops/regions/:regionId/fence",
    { schema: { params: Params, response: { 200: FenceAnswer, ...refusals } } },
    async (request) => {
      const { regionId } = request.params;
      const action = await audited(request, "fence", regionId);
      const { life, changed, rooms } = await operators.audit.once(action, (record) =>
        registry.fence(regionId, record),
      );
      const region = registry.region(regionId);
      const live = region ? liveNodes(region) : [];
      const nodes = await Promise.all(live.map((node) => tell(node, life.epoch, deps)));
      return { regionId, regionEpoch: life.epoch, changed, rooms, nodes };
    },
  );
  server.delete(
    "/ops/regions/:regionId/fence",
    { schema: { params: Params, response: { 200: UnfenceAnswer, ...refusals } } },
    async (request) => {
      const { regionId } = request.params;
      const action = await audited(request, "unfence", regionId);
      const { epoch, wanted } = await operators.audit.once(action, (record) =>
        registry.unfence(regionId, record),
      );
      return { regionId, regionEpoch: epoch, wanted };
    },
  );
}

/** Tells a node at once; one that can't be reached learns it from its next heartbeat's answer. */
async function tell(node: NodeRecord, regionEpoch: Epoch, { calls }: FenceRouteDeps) {
  try {
    await calls.fence(node, { regionEpoch });
    return { nodeId: node.nodeId, told: true };
  } catch (error) {
    if (!isFailure(error)) throw error;
    return { nodeId: node.nodeId, told: false };
  }
}
