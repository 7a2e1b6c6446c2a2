/** `/ops/failover` on the private port: a node or a region is given up by hand, and its rooms go on elsewhere. */
import type { HttpServer } from "../../shared/http-server.ts";
import { FailoverPlan, FailoverRequest } from "../../shared/protocol/ops-failover.ts";
import type { ByHand } from "../failover/by-hand.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { Operators } from "./operators.ts";

export interface FailoverRouteDeps {
  readonly operators: Operators;
  readonly failovers: ByHand;
}

const refusals = failures("unauthorized", "forbidden", "not_found", "conflict");

export function addFailoverRoutes(server: HttpServer, deps: FailoverRouteDeps): void {
  const { operators, failovers } = deps;
  server.post(
    "/ops/failover",
    { schema: { body: FailoverRequest, response: { 200: FailoverPlan, ...refusals } } },
    async (request) => {
      const { regionId, nodeId, dryRun } = request.body;
      const target = { ...(regionId && { regionId }), ...(nodeId && { nodeId }) };
      const action = "failover";
      const subject = nodeId ?? regionId ?? "";
      const token = bearerOf(request.headers.authorization);
      const operator = await operators.authorise(token, action, "operator", subject);
      const audited = { operator, action, subject, dryRun };
      if (dryRun) {
        const plan = await failovers.failover(target, { dryRun });
        await operators.audit.note(audited);
        return plan;
      }
      return await operators.audit.around(
        audited,
        () => failovers.failover(target, { dryRun }),
        ({ nodes, rooms, players, unprotectedRooms }) => {
          return { nodes, rooms, players, unprotectedRooms };
        },
      );
    },
  );
}
