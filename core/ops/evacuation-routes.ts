/** `/ops/evacuations*` on the private port: live rooms of a region, or of a node of it, move to their standbys. */
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import {
  EvacuationAnswer,
  EvacuationOrder,
  EvacuationRequest,
  EvacuationStatus,
  EvacuationsAnswer,
} from "../../shared/protocol/ops-failover.ts";
import type { Evacuations } from "../failover/evacuation.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { Operators } from "./operators.ts";

export interface EvacuationRouteDeps {
  readonly operators: Operators;
  readonly evacuations: Evacuations;
}

const refusals = failures("unauthorized", "forbidden", "not_found", "conflict");

export function addEvacuationRoutes(server: HttpServer, deps: EvacuationRouteDeps): void {
  const { operators, evacuations } = deps;
  const { audit } = operators;
  server.get(
    "/ops/evacuations",
    { schema: { response: { 200: EvacuationsAnswer, ...refusals } } },
    async (request) => {
      await operators.authorise(bearerOf(request.headers.authorization), "evacuations", "viewer");
      return { evacuations: evacuations.list() };
    },
  );
  server.post(
    "/ops/evacuations",
    { schema: { body: EvacuationRequest, response: { 200: EvacuationAnswer, ...refusals } } },
    async (request): Promise<EvacuationAnswer> => {
      const { regionId, nodeId, roomsPerS, dryRun } = request.body;
      const action = "evacuate";
      const subject = nodeId ?? regionId;
      const token = bearerOf(request.headers.authorization);
      const operator = await operators.authorise(token, action, "operator", subject);
      const audited = { operator, action, subject, details: { roomsPerS }, dryRun };
      if (dryRun) {
        const plan = await evacuations.plan({ regionId, nodeId });
        await audit.note(audited);
        return { plan };
      }
      const { name } = operator;
      const evacuation = await audit.once(audited, (record) =>
        evacuations.begin({ regionId, nodeId, roomsPerS, by: name, onOver }, record),
      );
      return { evacuation };

      async function onOver({ phase, moved, players, left, failed, lost }: EvacuationStatus) {
        const details = { phase, moved, players, left, failed, lost };
        const outcome = failed + lost === 0 ? "done" : "failed";
        await audit.later({ ...audited, action: "evacuation over", details }, outcome);
      }
    },
  );
  server.post(
    "/ops/evacuations/:regionId/:order",
    {
      schema: {
        params: z.object({ regionId: RegionId, order: EvacuationOrder }),
        response: { 200: EvacuationStatus, ...refusals },
      },
    },
    async (request) => {
      const { regionId, order } = request.params;
      const action = `${order} evacuation`;
      const token = bearerOf(request.headers.authorization);
      const operator = await operators.authorise(token, action, "operator", regionId);
      return await audit.around({ operator, action, subject: regionId }, async () =>
        evacuations.order(regionId, order),
      );
    },
  );
}
