/**
 * `/healthz`, `/readyz` and `/metrics` on the private port, for whatever runs, balances and watches cores.
 *
 * `/readyz` is 200 on the core that leads, and there alone, while the database answers. `?exclude=leadership` asks
 * whether the process has started and can come to lead: what a supervisor waits for. `?exclude=database` asks whether it
 * leads as far as it knows: with the database away no core is ready, and the former leader goes on with what
 * needs no database.
 */
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import type { Metrics } from "../../shared/metrics.ts";
import { STANDINGS, type Standing } from "../leadership/leadership-step.ts";

const Health = z.object({ status: z.literal("ok") });
const Check = z.enum(["database", "leadership"]);
const ReadinessQuery = z.object({ exclude: Check.optional() });
const Readiness = z.object({
  ready: z.boolean(),
  database: z.enum(["up", "down"]),
  schema: z.enum(["current", "not migrated yet"]),
  players: z.enum(["served", "not served"]),
  /** `sure`: it leads. `alone`: it does as far as it knows, and the database is away. */
  leadership: z.enum(STANDINGS),
});

/** Whoever watches must hear of an overload, too. */
const UNCAPPED = { cap: "none" } as const;

export interface HealthDeps {
  readonly database: { readonly migrated: boolean };
  readonly urgent: { ping(): Promise<boolean> };
  /** The players' server: the last to start and the first that is drained. */
  readonly players: { readonly serving: boolean };
  readonly leadership: () => { readonly started: boolean; settled(): Promise<Standing> };
  readonly metrics: Metrics;
}

export function addHealthRoutes(server: HttpServer, deps: HealthDeps): void {
  const { database, urgent, players, leadership, metrics } = deps;
  server.get("/healthz", { config: UNCAPPED, schema: { response: { 200: Health } } }, async () => ({
    status: "ok" as const,
  }));
  server.get(
    "/readyz",
    {
      config: UNCAPPED,
      schema: { querystring: ReadinessQuery, response: { 200: Readiness, 503: Readiness } },
    },
    async (request, reply) => {
      const { exclude } = request.query;
      const up = database.migrated && (await urgent.ping());
      const standing = await leadership().settled();
      const leads = players.serving && standing === "sure";
      const alone = players.serving && standing === "alone";
      const follows = leadership().started && standing === "following";
      const ready =
        (leads && (up || exclude === "database")) ||
        (alone && exclude === "database") ||
        (follows && up && exclude === "leadership");
      return reply.status(ready ? 200 : 503).send({
        ready,
        database: up ? "up" : "down",
        schema: database.migrated ? "current" : "not migrated yet",
        players: leads || alone ? "served" : "not served",
        leadership: standing,
      });
    },
  );
  server.get("/metrics", { config: UNCAPPED }, async (_request, reply) => {
    void reply.type(metrics.contentType);
    return await metrics.metrics();
  });
}
