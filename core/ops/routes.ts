/** `/ops/*` on the private port: every call is authorised by role, every change audited. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { RegionId } from "../../shared/ids.ts";
import { Done } from "../../shared/protocol/link.ts";
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
import type { Registry } from "../regions/registry.ts";
import type { TopologyFile } from "../regions/topology-file.ts";
import type { Keyring } from "../tickets/keyring.ts";
import type { Operator } from "./operator.ts";
import type { Operators } from "./operators.ts";
import { OperatorTokens, RotateAnswer, WantedAnswer, WantedRequest } from "./schemas.ts";
import { playersOnline, regionStatus } from "./status.ts";
import { effectOf, tellWanted, untold } from "./wanted.ts";

export interface OpsRouteDeps {
  readonly operators: Operators;
  readonly registry: Registry;
  readonly topologyFile: Pick<TopologyFile, "status">;
  readonly calls: NodeCalls;
  readonly keyring: Keyring;
  readonly database: Database;
  readonly admission: Pick<Admission, "rooms">;
  /** Of this core, which is asked only while it leads. */
  readonly leader: () => { readonly name: string; readonly term: number };
  readonly clock: Clock;
  readonly build: string;
}

const refusals = failures("unauthorized", "forbidden", "not_found");

type Authorise = (
  request: FastifyRequest,
  action: string,
  role: OperatorRole,
  subject?: string,
) => Promise<Operator>;

export function addOpsRoutes(server: HttpServer, deps: OpsRouteDeps): void {
  const { audit } = deps.operators;
  const authorise: Authorise = (request, action, role, subject) =>
    deps.operators.authorise(bearerOf(request.headers.authorization), action, role, subject);
  server.get(
    "/ops/status",
    { schema: { response: { 200: StatusAnswer, ...refusals } } },
    async (request) => {
      await authorise(request, "status", "viewer");
      return await statusOf(deps);
    },
  );
  server.post(
    "/ops/regions/:regionId/wanted",
    {
      schema: {
        params: z.object({ regionId: RegionId }),
        body: WantedRequest,
        response: { 200: WantedAnswer, ...refusals, ...failures("conflict") },
      },
    },
    async (request) => {
      const { regionId } = request.params;
      const wanted = request.body.state;
      const { dryRun } = request.body;
      const action = wanted === "draining" ? "drain" : "undrain";
      const operator = await authorise(request, action, "operator", regionId);
      const now = deps.registry.region(regionId);
      if (!now) throw noRegion(regionId, deps);
      const audited = { operator, action, subject: regionId, dryRun };
      if (dryRun) {
        await audit.note(audited);
        return { regionId, dryRun, wanted: effectOf({ ...now, wanted }), nodes: untold(now) };
      }
      const region = await audit.once(audited, (record) =>
        deps.registry.setWanted(regionId, wanted, record),
      );
      const nodes = await tellWanted(region, deps);
      return { regionId, dryRun, wanted: effectOf(region), nodes };
    },
  );
  server.post(
    "/ops/keys/rotate",
    { schema: { response: { 200: RotateAnswer, ...refusals } } },
    async (request) => {
      const action = "rotate keys";
      const operator = await authorise(request, action, "admin");
      const kid = await audit.once({ operator, action, subject: "signing keys" }, (record) =>
        deps.keyring.rotate(record),
      );
      return { kid };
    },
  );
  addTokenRoutes(server, deps, authorise);
}

function addTokenRoutes(
  server: HttpServer,
  { operators }: OpsRouteDeps,
  authorise: Authorise,
): void {
  server.get(
    "/ops/tokens",
    { schema: { response: { 200: OperatorTokens, ...refusals } } },
    async (request) => {
      await authorise(request, "list tokens", "admin");
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
      const action = "create token";
      const { name, role } = request.body;
      const operator = await authorise(request, action, "admin", name);
      const audited = { operator, action, subject: name, details: { role } };
      const made = await operators.audit.once(audited, (record) =>
        operators.create(name, role, record),
      );
      return { name, role, ...made };
    },
  );
  server.delete(
    "/ops/tokens/:id",
    { schema: { params: z.object({ id: z.uuid() }), response: { 200: Done, ...refusals } } },
    async (request) => {
      const action = "revoke token";
      const { id } = request.params;
      const operator = await authorise(request, action, "admin", id);
      await operators.audit.once({ operator, action, subject: id }, (record) =>
        operators.revoke(id, record),
      );
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
    leader: deps.leader(),
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

export function noRegion(
  regionId: RegionId,
  { registry }: { readonly registry: Registry },
): MeridianError {
  const known = registry.regions().map((region) => region.spec.id);
  return new MeridianError("not_found", {
    message: `There is no region "${regionId}"; there are ${known.join(", ")}.`,
  });
}
