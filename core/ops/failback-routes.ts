/**
 * `/ops/regions/:regionId/failback` on the private port: a region that was fenced or drained takes new players
 * again. Rooms that went elsewhere stay there until they end.
 */
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import { FailbackAnswer } from "../../shared/protocol/ops-failover.ts";
import type { Evacuations } from "../failover/evacuation.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import type { Registry } from "../regions/registry.ts";
import type { Operators } from "./operators.ts";
import { noRegion } from "./routes.ts";
import { effectOf, tellWanted, untold } from "./wanted.ts";

export interface FailbackRouteDeps {
  readonly operators: Operators;
  readonly registry: Registry;
  readonly evacuations: Pick<Evacuations, "requireNone">;
  readonly calls: Pick<NodeCalls, "drain">;
}

const Params = z.object({ regionId: RegionId });
const Body = z.object({ dryRun: z.boolean().default(false) });
const refusals = failures("unauthorized", "forbidden", "not_found", "conflict");

export function addFailbackRoutes(server: HttpServer, deps: FailbackRouteDeps): void {
  const { operators, registry, evacuations } = deps;
  server.post(
    "/ops/regions/:regionId/failback",
    { schema: { params: Params, body: Body, response: { 200: FailbackAnswer, ...refusals } } },
    async (request): Promise<FailbackAnswer> => {
      const { regionId } = request.params;
      const { dryRun } = request.body;
      const action = "failback";
      const token = bearerOf(request.headers.authorization);
      const operator = await operators.authorise(token, action, "operator", regionId);
      const before = registry.region(regionId);
      if (!before) throw noRegion(regionId, deps);
      const audited = { operator, action, subject: regionId, dryRun };
      const was = before.wanted;
      if (dryRun) {
        evacuations.requireNone(regionId);
        await operators.audit.note(audited);
        const wanted = effectOf({ ...before, wanted: "active" });
        return { regionId, dryRun, was, wanted, regionEpoch: before.epoch, nodes: untold(before) };
      }
      await operators.audit.once(audited, async (record) => {
        evacuations.requireNone(regionId);
        if (was === "fenced") await registry.unfence(regionId, record);
        else await registry.setWanted(regionId, "active", record);
      });
      const after = registry.region(regionId) ?? before;
      const nodes = await tellWanted(after, deps);
      return { regionId, dryRun, was, wanted: effectOf(after), regionEpoch: after.epoch, nodes };
    },
  );
}
