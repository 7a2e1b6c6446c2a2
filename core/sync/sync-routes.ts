/**
 * What regions call for players' state: `POST /link/batch`, `POST /link/outbox/close`,
 * `POST /link/players/load`, `POST /link/players/load-many`.
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
  LOADS_BYTES_MAX,
  LoadAnswer,
  LoadManyAnswer,
  LoadManyRequest,
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

/** The former owner's last changes come in these moments: no longer than the way back and here again would take. */
const LOADS_HELD_MS = 150;
const LOADS_BODY_BYTES_MAX = 256 * 1024;
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
  server.post(
    "/link/players/load-many",
    {
      config: { cap: "loads" },
      bodyLimit: LOADS_BODY_BYTES_MAX,
      schema: {
        body: LoadManyRequest,
        response: { 200: LoadManyAnswer, ...failures("forbidden") },
      },
    },
    async (request) => {
      const from = regionOf(request);
      const { nodeId, loads } = request.body;
      registry.requireCurrent(from, nodeId);
      const loaded = await states.loadMany(
        from,
        loads.map((one) => ({ ...one, nodeId })),
        LOADS_HELD_MS,
      );
      let bytes = 0;
      const answers = loaded.map((answer) => {
        if (answer instanceof MeridianError) return answer.toBody();
        const before = bytes;
        bytes += Buffer.byteLength(JSON.stringify(answer));
        // Granted as it is, it gets the same answer when it is asked for again.
        const fits = before === 0 || bytes <= LOADS_BYTES_MAX;
        return fits ? answer : new MeridianError("unavailable").toBody();
      });
      return { answers };
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
