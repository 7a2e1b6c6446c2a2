/**
 * What the core may ask of this node, over mTLS: `reserve`, `release`, `evict`, `drain`, `wanted`, `fence`, `witness`, and
 * what `replication-routes.ts` has. Another region may measure the way here (`probe`), open the streams of `upgrades`,
 * and no more. Whoever else gets nothing, not even the shape of an answer.
 */
import { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import { ErrorBody, eachAnswered, MeridianError } from "../../shared/errors.ts";
import { createHttpServer, type HttpServer } from "../../shared/http-server.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { peerOf } from "../../shared/link/peer.ts";
import { WitnessAnswer, WitnessRequest } from "../../shared/protocol/failover.ts";
import {
  Done,
  DrainRequest,
  EvictRequest,
  FenceRequest,
  PROBE_PATH,
  ReleaseRequest,
  ReserveAnswer,
  ReserveManyAnswer,
  ReserveManyRequest,
  ReserveRequest,
} from "../../shared/protocol/link.ts";
import { WantedPlayer } from "../../shared/protocol/player-state.ts";
import type { Witness } from "../failover/witness.ts";
import type { Matchmaker } from "../matchmaking/matchmaker.ts";
import { addReplicationRoutes, type ReplicationRoutes } from "../replication/replication-routes.ts";
import { serveUpgrades, type UpgradeRoute } from "./upgrades.ts";

const BODY_BYTES_MAX = 16 * 1024;
/** A token each, and four ids. */
const RETURNS_BYTES_MAX = 128 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;

export interface LinkServerOptions {
  readonly identity: LinkIdentity;
  readonly matchmaker: Matchmaker;
  readonly onWanted: (wanted: DrainRequest["state"]) => void;
  /** A newer session waits for a player whom this node owns, as far as the core knows. */
  readonly wanted: (player: WantedPlayer) => void;
  readonly onFenced: (regionEpoch: FenceRequest["regionEpoch"]) => void;
  readonly witness: Pick<Witness, "look">;
  /** Of a node that keeps copies. */
  readonly replication?: ReplicationRoutes;
  /** Streams that other regions may open, by path. */
  readonly upgrades: ReadonlyMap<string, UpgradeRoute>;
  readonly log: Logger;
}

export function createLinkServer(options: LinkServerOptions): HttpServer {
  const { identity, matchmaker, onWanted, wanted, onFenced, witness, upgrades, log } = options;
  const server = createHttpServer({
    log,
    bodyBytesMax: BODY_BYTES_MAX,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    mutualTls: identity,
  });
  server.addHook("onRequest", async (request) => {
    const { socket } = request.raw;
    const peer = socket instanceof TLSSocket ? peerOf(socket) : undefined;
    const measures = peer?.role === "region" && request.routeOptions.url === PROBE_PATH;
    if (peer?.role !== "core" && !measures) throw new MeridianError("forbidden");
  });
  const failures = { "4xx": ErrorBody, "5xx": ErrorBody };
  server.get(PROBE_PATH, { schema: { response: { 200: Done, ...failures } } }, async () => ({
    ok: true as const,
  }));
  server.post(
    "/link/reserve",
    { schema: { body: ReserveRequest, response: { 200: ReserveAnswer, ...failures } } },
    (request) => matchmaker.reserve(request.body),
  );
  server.post(
    "/link/reserve-many",
    {
      bodyLimit: RETURNS_BYTES_MAX,
      schema: { body: ReserveManyRequest, response: { 200: ReserveManyAnswer, ...failures } },
    },
    async ({ body }) => ({
      answers: await eachAnswered(body.requests, (one) => matchmaker.reserve(one)),
    }),
  );
  server.post(
    "/link/release",
    { schema: { body: ReleaseRequest, response: { 200: Done, ...failures } } },
    async (request) => {
      await matchmaker.release(request.body);
      return { ok: true as const };
    },
  );
  server.post(
    "/link/evict",
    { schema: { body: EvictRequest, response: { 200: Done, ...failures } } },
    async (request) => {
      await matchmaker.evict(request.body);
      return { ok: true as const };
    },
  );
  server.post(
    "/link/drain",
    { schema: { body: DrainRequest, response: { 200: Done, ...failures } } },
    async (request) => {
      onWanted(request.body.state);
      return { ok: true as const };
    },
  );
  server.post(
    "/link/wanted",
    { schema: { body: WantedPlayer, response: { 200: Done, ...failures } } },
    async (request) => {
      wanted(request.body);
      return { ok: true as const };
    },
  );
  server.post(
    "/link/fence",
    { schema: { body: FenceRequest, response: { 200: Done, ...failures } } },
    async (request) => {
      onFenced(request.body.regionEpoch);
      return { ok: true as const };
    },
  );
  server.post(
    "/link/witness",
    { schema: { body: WitnessRequest, response: { 200: WitnessAnswer, ...failures } } },
    async (request) => ({ saw: await witness.look(request.body.about) }),
  );
  if (options.replication) addReplicationRoutes(server, options.replication);
  serveUpgrades(server, upgrades);
  return server;
}
