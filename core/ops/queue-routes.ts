/** `/ops/queue` and `/ops/regions/:regionId/opening` on the private port: who waits, and openings of regions. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import { OpeningInfo, OpeningsAnswer } from "../../shared/protocol/openings.ts";
import { OpeningRequest, QueueStatusAnswer } from "../../shared/protocol/ops.ts";
import type { Admission } from "../admission/admission.ts";
import type { ClassSpec } from "../admission/classes.ts";
import type { Opening } from "../admission/draw.ts";
import { OPENING_RULE, type Openings } from "../admission/openings.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { Registry } from "../regions/registry.ts";
import type { Operator } from "./operator.ts";
import type { Operators } from "./operators.ts";
import { queueStatus } from "./queue-status.ts";
import { noRegion } from "./routes.ts";

export interface QueueOpsRouteDeps {
  readonly operators: Operators;
  readonly registry: Registry;
  readonly admission: Admission;
  readonly openings: Openings;
  readonly classes: readonly ClassSpec[];
}

const Params = z.object({ regionId: RegionId });
const refusals = failures("unauthorized", "forbidden", "not_found");
const changeRefusals = failures(
  "unauthorized",
  "forbidden",
  "not_found",
  "bad_request",
  "conflict",
);

export function addQueueOpsRoutes(server: HttpServer, deps: QueueOpsRouteDeps): void {
  const { operators, admission, classes } = deps;
  server.get(
    "/ops/queue",
    { schema: { response: { 200: QueueStatusAnswer, ...refusals } } },
    async (request) => {
      await operators.authorise(bearerOf(request.headers.authorization), "queue", "viewer");
      const { nowMs, rooms } = admission;
      const regions = [...rooms.queues.values()].map((queue) => queueStatus(queue, classes, nowMs));
      return { coreTimeMs: nowMs, players: rooms.players, regions };
    },
  );
  addOpeningOpsRoutes(server, deps);
}

function addOpeningOpsRoutes(server: HttpServer, deps: QueueOpsRouteDeps): void {
  const { operators, registry, admission, openings } = deps;

  async function authorised(
    request: FastifyRequest,
    action: string,
    regionId: RegionId,
  ): Promise<Operator> {
    const token = bearerOf(request.headers.authorization);
    const operator = await operators.authorise(token, action, "operator", regionId);
    if (!registry.region(regionId)) throw noRegion(regionId, deps);
    return operator;
  }

  function told({ regionId, scheduledAtMs }: Opening): OpeningInfo {
    const draws = openings.list(admission.nowMs).filter((one) => one.regionId === regionId);
    const info = draws.at(-1);
    if (!info) throw new Error(`the opening of ${scheduledAtMs} is not there`);
    return info;
  }

  server.get(
    "/ops/openings",
    { schema: { response: { 200: OpeningsAnswer, ...refusals } } },
    async (request) => {
      await operators.authorise(bearerOf(request.headers.authorization), "list openings", "viewer");
      return { rule: OPENING_RULE, openings: openings.list(admission.nowMs) };
    },
  );
  server.put(
    "/ops/regions/:regionId/opening",
    {
      schema: {
        params: Params,
        body: OpeningRequest,
        response: { 200: OpeningInfo, ...changeRefusals },
      },
    },
    async (request) => {
      const { regionId } = request.params;
      const { opensAt } = request.body;
      const action = "schedule opening";
      const operator = await authorised(request, action, regionId);
      const audited = { operator, action, subject: regionId, details: { opensAt } };
      return told(
        await operators.audit.around(audited, () =>
          openings.schedule(regionId, Date.parse(opensAt), admission),
        ),
      );
    },
  );
  server.delete(
    "/ops/regions/:regionId/opening",
    { schema: { params: Params, response: { 200: OpeningInfo, ...changeRefusals } } },
    async (request) => {
      const { regionId } = request.params;
      const action = "cancel opening";
      const operator = await authorised(request, action, regionId);
      return told(
        await operators.audit.around({ operator, action, subject: regionId }, () =>
          openings.cancel(regionId, admission),
        ),
      );
    },
  );
}
