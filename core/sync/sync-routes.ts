/**
 * What regions call for players' state: `POST /link/batch`, `POST /link/outbox/close`,
 * `POST /link/players/load`.
 *
 * A producer's id names its node. The node need not live: a sibling sends what a dead one left.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { NodeId, type RegionId } from "../../shared/ids.ts";
import {
  BATCH_BYTES_MAX,
  BatchAnswer,
  BatchRequest,
  CloseProducerAnswer,
  CloseProducerRequest,
  LoadAnswer,
  LoadRequest,
  type ProducerId,
} from "../../shared/protocol/player-state.ts";
import { failures } from "../http/failures.ts";
import { regionOf } from "../regions/link-routes.ts";
import type { Registry } from "../regions/registry.ts";
import { partsOf } from "../regions/registry-step.ts";
import type { Sender } from "./batch-apply.ts";
import type { PlayerStates } from "./player-states.ts";

export interface SyncRouteDeps {
  readonly registry: Registry;
  readonly states: PlayerStates;
}

/** To a server that lets only regions in. */
export function addSyncRoutes(server: HttpServer, { registry, states }: SyncRouteDeps): void {
  server.post(
    "/link/batch",
    {
      bodyLimit: BATCH_BYTES_MAX,
      schema: { body: BatchRequest, response: { 200: BatchAnswer, ...failures("forbidden") } },
    },
    (request) => {
      const sender = senderOf(regionOf(request), request.body.producerId);
      return states.applyBatch(sender, request.body);
    },
  );
  server.post(
    "/link/outbox/close",
    {
      schema: {
        body: CloseProducerRequest,
        response: { 200: CloseProducerAnswer, ...failures("forbidden") },
      },
    },
    (request) => {
      const { producerId, drainedNode } = request.body;
      const sender = senderOf(regionOf(request), producerId);
      if (drainedNode !== undefined && drainedNode !== sender.nodeId) {
        throw new MeridianError("bad_request", { message: "That is not the outbox's node." });
      }
      return states.closeProducer(sender, request.body);
    },
  );
  server.post(
    "/link/players/load",
    {
      config: { cap: "loads" },
      schema: {
        body: LoadRequest,
        response: {
          200: LoadAnswer,
          ...failures("forbidden", "session_taken_over", "account_deleted", "conflict"),
        },
      },
    },
    (request) => {
      const from = regionOf(request);
      registry.requireCurrent(from, request.body.nodeId);
      return states.load(from, request.body);
    },
  );
}

/** @throws {MeridianError} `bad_request`, `forbidden` */
function senderOf(regionId: RegionId, producerId: ProducerId): Sender {
  const nodeId = NodeId.safeParse(producerId.slice(0, producerId.indexOf("/")));
  if (!nodeId.success) {
    throw new MeridianError("bad_request", { message: "The outbox's id names no node." });
  }
  if (partsOf(nodeId.data).region === regionId) return { nodeId: nodeId.data, regionId };
  throw new MeridianError("forbidden", { message: `This certificate is of "${regionId}".` });
}
