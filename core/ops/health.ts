/** `/healthz`, `/readyz` and `/metrics` on the private port, for whatever runs and watches the core. */
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import type { Metrics } from "../../shared/metrics.ts";

const Health = z.object({ status: z.literal("ok") });
const Readiness = z.object({
  ready: z.boolean(),
  database: z.enum(["up", "down"]),
  schema: z.enum(["current", "not migrated yet"]),
  players: z.enum(["served", "not served"]),
});

/** Whoever watches must hear of an overload, too. */
const UNCAPPED = { cap: "none" } as const;

export interface HealthDeps {
  readonly database: { readonly migrated: boolean; ping(): Promise<boolean> };
  /** The players' server: the last to start and the first to stop. */
  readonly players: { readonly serving: boolean };
  readonly metrics: Metrics;
}

export function addHealthRoutes(server: HttpServer, deps: HealthDeps): void {
  const { database, players, metrics } = deps;
  server.get("/healthz", { config: UNCAPPED, schema: { response: { 200: Health } } }, async () => ({
    status: "ok" as const,
  }));
  server.get(
    "/readyz",
    { config: UNCAPPED, schema: { response: { 200: Readiness, 503: Readiness } } },
    async (_request, reply) => {
      const up = database.migrated && (await database.ping());
      const ready = up && players.serving;
      return reply.status(ready ? 200 : 503).send({
        ready,
        database: up ? "up" : "down",
        schema: database.migrated ? "current" : "not migrated yet",
        players: players.serving ? "served" : "not served",
      });
    },
  );
  server.get("/metrics", { config: UNCAPPED }, async (_request, reply) => {
    void reply.type(metrics.contentType);
    return await metrics.metrics();
  });
}
