/** The responder's port for operators: is it alive, does it know of the regions, its metrics. */
import { z } from "zod";
import type { HttpServer } from "../../shared/http-server.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { ViewStatus } from "./view-keeper.ts";

const Health = z.object({
  /** `live`: as the core says; `kept`: as it said last; `none`: it never said anything. */
  view: z.enum(["live", "kept", "none"]),
  version: z.string().nullable(),
  /** Since the core's last word, ms. */
  ageMs: z.number().nullable(),
});

export interface PrivatePortDeps {
  readonly status: () => ViewStatus;
  readonly metrics: Metrics;
}

export function addPrivateRoutes(server: HttpServer, { status, metrics }: PrivatePortDeps): void {
  server.get("/healthz", { schema: { response: { 200: Health } } }, async () => status());
  // Ready with a view that is kept, too: that is what it is kept for.
  server.get(
    "/readyz",
    { schema: { response: { 200: Health, 503: Health } } },
    async (_request, reply) => {
      const now = status();
      return reply.status(now.view === "none" ? 503 : 200).send(now);
    },
  );
  server.get("/metrics", async (_request, reply) => {
    void reply.type(metrics.contentType);
    return await metrics.metrics();
  });
}
