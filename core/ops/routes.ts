/** `/ops/*` on the private port: every call is authorised by role, every change audited. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import { Done, DrainRequest } from "../../shared/protocol/link.ts";
import {
  type OperatorRole,
  OperatorTokenAnswer,
  OperatorTokenRequest,
  StatusAnswer,
} from "../../shared/protocol/ops.ts";
import type { Admission } from "../admission/admission.ts";
import type { Database } from "../db/database.ts";
import { bearerOf } from "../http/bearer.ts";
import { failures } from "../http/failures.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import { liveNodes, wantedOf } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import type { TopologyFile } from "../regions/topology-file.ts";
import type { Keyring } from "../tickets/keyring.ts";
import type { Operator, Operators } from "./operators.ts";
import { OperatorTokens, RotateAnswer, WantedAnswer } from "./schemas.ts";
import { playersOnline, regionStatus } from "./status.ts";

export interface OpsRouteDeps {
  readonly operators: Operators;
  readonly registry: Registry;
  readonly topologyFile: Pick<TopologyFile, "status">;
  readonly calls: NodeCalls;
  readonly keyring: Keyring;
  readonly database: Database;
  readonly admission: Pick<Admission, "rooms">;
  readonly clock: Clock;
  readonly build: string;
}

const refusals = failures("unauthorized", "forbidden", "not_found");

export function addOpsRoutes(server: HttpServer, deps: OpsRouteDeps): void {
  const authorise = (request: FastifyRequest, action: string, role: OperatorRole): Operator =>
    deps.operators.authorise(bearerOf(request.headers.authorization), action, role);
  server.get(
    "/ops/status",
    { schema: { response: { 200: StatusAnswer, ...refusals } } },
    async (request) => {
      authorise(request, "status", "viewer");
      return await statusOf(deps);
    },
  );
  server.post(
    "/ops/regions/:regionId/wanted",
    {
      schema: {
        params: z.object({ regionId: RegionId }),
        body: DrainRequest,
        response: { 200: WantedAnswer, ...refusals },
      },
    },
    async (request) => {
      const { regionId } = request.params;
      const wanted = request.body.state;
      const operator = authorise(request, wanted === "draining" ? "drain" : "undrain", "operator");
      if (!deps.registry.region(regionId)) throw noRegion(regionId, deps);
      await deps.operators.audit(operator, "wanted", regionId, { wanted });
      const region = await deps.registry.setWanted(regionId, wanted);
      const effective: DrainRequest["state"] =
        wantedOf(region) === "active" ? "active" : "draining";
      const nodes = liveNodes(region).map((node) => tell(node, effective, deps));
      return { regionId, wanted: effective, nodes: await Promise.all(nodes) };
    },
  );
  server.post(
    "/ops/keys/rotate",
    { schema: { response: { 200: RotateAnswer, ...refusals } } },
    async (request) => {
      const operator = authorise(request, "rotate keys", "admin");
      await deps.operators.audit(operator, "rotate", "signing keys");
      return { kid: await deps.keyring.rotate() };
    },
  );
  addTokenRoutes(server, deps, authorise);
}

function addTokenRoutes(
  server: HttpServer,
  { operators }: OpsRouteDeps,
  authorise: (request: FastifyRequest, action: string, role: OperatorRole) => Operator,
): void {
  server.get(
    "/ops/tokens",
    { schema: { response: { 200: OperatorTokens, ...refusals } } },
    async (request) => {
      authorise(request, "list tokens", "admin");
      const rows = await operators.list();
      const tokens = rows.map(({ id, name, role, created_at, revoked_at }) => ({
        id,
        name,
        role,
        createdAt: created_at.toISOString(),
        revokedAt: revoked_at?.toISOString() ?? null,
      }));
      return { tokens };
    },
  );
  server.post(
    "/ops/tokens",
    {
      schema: { body: OperatorTokenRequest, response: { 200: OperatorTokenAnswer, ...refusals } },
    },
    async (request) => {
      const operator = authorise(request, "create token", "admin");
      const { name, role } = request.body;
      await operators.audit(operator, "create token", name, { role });
      return { name, role, ...(await operators.create(name, role)) };
    },
  );
  server.delete(
    "/ops/tokens/:id",
    { schema: { params: z.object({ id: z.uuid() }), response: { 200: Done, ...refusals } } },
    async (request) => {
      const operator = authorise(request, "revoke token", "admin");
      await operators.audit(operator, "revoke token", request.params.id);
      await operators.revoke(request.params.id);
      return { ok: true as const };
    },
  );
}

async function statusOf(deps: OpsRouteDeps): Promise<z.infer<typeof StatusAnswer>> {
  const { registry, database, admission, clock, build } = deps;
  const { queues } = admission.rooms;
  const up = await database.ping();
  const regions = registry.regions();
  return {
    coreTimeMs: clock.nowMs(),
    coreTerm: registry.coreTerm,
    build,
    database: up ? "up" : "down",
    playersOnline: playersOnline(regions),
    topology: deps.topologyFile.status,
    regions: regions.map((region) => {
      const waiting = queues.get(region.spec.id)?.waiting ?? 0;
      return regionStatus(region, { regions, waiting, nowMs: clock.monotonicMs() });
    }),
  };
}

/** Tells a node at once; one that can't be reached learns it from its next heartbeat's answer. */
async function tell(node: NodeRecord, wanted: DrainRequest["state"], { calls }: OpsRouteDeps) {
  try {
    await calls.drain(node, { state: wanted });
    return { nodeId: node.nodeId, told: true };
  } catch (error) {
    if (!isFailure(error)) throw error;
    return { nodeId: node.nodeId, told: false };
  }
}

export function noRegion(
  regionId: RegionId,
  { registry }: { readonly registry: Registry },
): MeridianError {
  const known = registry.regions().map((region) => region.spec.id);
  return new MeridianError("not_found", {
    message: `There is no region "${regionId}"; there are ${known.join(", ")}.`,
  });
}
