/**
 * `POST /link/evidence`: what a node saw of another one, told at once.
 *
 * The witness is the region whose certificate came with it. What it tells counts for the node at the address that
 * the core knows, and no more than so often: whoever floods it is refused, and its evidence is asked for instead.
 */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { Evidence } from "../../shared/protocol/failover.ts";
import { Done } from "../../shared/protocol/link.ts";
import { BucketTable, waitMs } from "../accounts/bucket.ts";
import { failures } from "../http/failures.ts";
import { regionOf } from "../regions/link-routes.ts";
import type { Registry } from "../regions/registry.ts";
import type { Watch } from "./watch.ts";

/** Of one region. A node that loses all of its streams tells of each owner, a few times. */
const RATE = { perSecond: 50, burst: 200 };
const REGIONS_MAX = 1_000;

export interface EvidenceRouteDeps {
  readonly registry: Registry;
  readonly watch: Pick<Watch, "witnessed">;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** To a server that lets only regions in. */
export function addEvidenceRoute(server: HttpServer, deps: EvidenceRouteDeps): void {
  const { registry, watch, clock } = deps;
  const buckets = new BucketTable(REGIONS_MAX);
  server.post(
    "/link/evidence",
    {
      schema: {
        body: Evidence,
        response: { 200: Done, ...failures("forbidden", "fenced", "too_many_requests") },
      },
    },
    async (request) => {
      const from = regionOf(request);
      const { nodeId, about, saw } = request.body;
      registry.requireCurrent(from, nodeId);
      const bucket = buckets.at(from, RATE, clock.monotonicMs());
      const retryAfterMs = waitMs(bucket, RATE);
      if (retryAfterMs > 0) throw new MeridianError("too_many_requests", { retryAfterMs });
      buckets.set(from, { ...bucket, tokens: bucket.tokens - 1 });
      const known = registry.node(about.nodeId)?.node.heartbeat.linkAddress;
      // Of a node that is gone, or moved meanwhile, it tells nothing.
      if (known === about.linkAddress) watch.witnessed(from, about.nodeId, saw);
      return { ok: true } as const;
    },
  );
}
