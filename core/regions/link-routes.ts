/**
 * What regions call: `POST /link/heartbeat`, `POST /link/claim`, `POST /link/release-rooms`,
 * `POST /link/reaffirm-rooms`, `POST /link/value`, `POST /link/room-ops`, `POST /link/value-again`.
 *
 * Without a certificate of our CA there is no connection at all. Whoever has one is who it names: a
 * body that says otherwise is refused.
 */
import { TLSSocket } from "node:tls";
import type { FastifyRequest } from "fastify";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import type { NodeId, RegionId } from "../../shared/ids.ts";
import { peerOf } from "../../shared/link/peer.ts";
import {
  ClaimAnswer,
  ClaimRequest,
  Heartbeat,
  HeartbeatAnswer,
  LEASE_MS,
  ReaffirmRoomsAnswer,
  ReaffirmRoomsRequest,
  ReleaseRoomsAnswer,
  ReleaseRoomsRequest,
} from "../../shared/protocol/link.ts";
import {
  RoomOps,
  RoomOpsRequest,
  ValueAgainAnswer,
  ValueAgainRequest,
  ValueAnswer,
  ValueRequest,
} from "../../shared/protocol/value.ts";
import { DNS_VIEW_PATH } from "../dns/view.ts";
import type { StandbyLists } from "../failover/standbys.ts";
import { failures } from "../http/failures.ts";
import type { ProfileFeed } from "../profiles/profile-feed.ts";
import type { Keyring } from "../tickets/keyring.ts";
import type { ValueAgain } from "../value/value-again.ts";
import type { ValueOps } from "../value/value-ops.ts";
import { answerTo } from "./fence-step.ts";
import type { PeerList } from "./peers.ts";
import { wantedOf } from "./region-view.ts";
import type { Registry } from "./registry.ts";

export interface LinkRouteDeps {
  readonly registry: Registry;
  readonly keyring: Keyring;
  readonly value: ValueOps;
  readonly feed: Pick<ProfileFeed, "news">;
  readonly peers: PeerList;
  readonly standbys: StandbyLists;
  /** Whether an operator has this very node emptied. */
  readonly drains: (nodeId: NodeId) => boolean;
  readonly valueAgain: ValueAgain;
  readonly clock: Clock;
}

export function addLinkRoutes(server: HttpServer, deps: LinkRouteDeps): void {
  const { registry, keyring, feed, peers, standbys, drains, clock } = deps;
  // Before the body is read: a peer that may not call here costs nothing more.
  server.addHook("onRequest", async (request) => {
    // Name servers have one path, which asks for their certificate.
    if (request.routeOptions.url !== DNS_VIEW_PATH) regionOf(request);
  });
  server.post(
    "/link/heartbeat",
    {
      config: { cap: "heartbeats" },
      schema: {
        body: Heartbeat,
        response: { 200: HeartbeatAnswer, ...failures("forbidden", "stale_incarnation") },
      },
    },
    async (request): Promise<HeartbeatAnswer> => {
      const heartbeat = request.body;
      const region = await registry.heartbeat(regionOf(request), heartbeat);
      const news = peers.news(heartbeat.peersVersion);
      const copiers = standbys.news(heartbeat.nodeId, heartbeat.standbysVersion);
      const wanted = wantedOf(region);
      const drained = wanted === "active" && drains(heartbeat.nodeId);
      const answer: HeartbeatAnswer = {
        coreTimeMs: clock.nowMs(),
        leaseMs: LEASE_MS,
        regionEpoch: region.epoch,
        coreTerm: registry.coreTerm,
        wanted: answerTo(heartbeat.regionEpoch, {
          ...region,
          wanted: drained ? "draining" : wanted,
        }),
        feed: feed.news(heartbeat.feed),
        ...(news && { peers: news }),
        ...(copiers && { standbys: copiers }),
      };
      const known = sameIds(heartbeat.keyIds, keyring.keyIds());
      return known ? answer : { ...answer, jwks: keyring.jwks() };
    },
  );
  server.post(
    "/link/claim",
    {
      schema: {
        body: ClaimRequest,
        response: { 200: ClaimAnswer, ...failures("forbidden", "fenced", "conflict") },
      },
    },
    (request) => registry.claim(regionOf(request), request.body),
  );
  server.post(
    "/link/release-rooms",
    {
      schema: {
        body: ReleaseRoomsRequest,
        response: { 200: ReleaseRoomsAnswer, ...failures("forbidden") },
      },
    },
    async (request) => ({ released: await registry.release(regionOf(request), request.body) }),
  );
  server.post(
    "/link/reaffirm-rooms",
    {
      schema: {
        body: ReaffirmRoomsRequest,
        response: { 200: ReaffirmRoomsAnswer, ...failures("forbidden") },
      },
    },
    async (request) => ({ held: await registry.reaffirm(regionOf(request), request.body) }),
  );
  addValueLinkRoutes(server, deps);
}

function addValueLinkRoutes(
  server: HttpServer,
  { registry, value, valueAgain }: LinkRouteDeps,
): void {
  server.post(
    "/link/value",
    {
      schema: {
        body: ValueRequest,
        response: { 200: ValueAnswer, ...failures("forbidden", "fenced", "conflict") },
      },
    },
    (request) => {
      registry.requireCurrent(regionOf(request), request.body.nodeId);
      return value.apply(request.body);
    },
  );
  server.post(
    "/link/room-ops",
    {
      schema: {
        body: RoomOpsRequest,
        response: { 200: RoomOps, ...failures("forbidden", "fenced") },
      },
    },
    (request) => {
      registry.requireCurrent(regionOf(request), request.body.nodeId);
      return value.opsAfter(request.body);
    },
  );
  server.post(
    "/link/value-again",
    {
      schema: {
        body: ValueAgainRequest,
        response: { 200: ValueAgainAnswer, ...failures("forbidden") },
      },
    },
    (request) => {
      registry.requireCurrent(regionOf(request), request.body.nodeId);
      return valueAgain.apply(request.body);
    },
  );
}

/** The region that the connection's certificate names. */
export function regionOf(request: FastifyRequest): RegionId {
  const { socket } = request.raw;
  const peer = socket instanceof TLSSocket ? peerOf(socket) : undefined;
  if (peer?.role !== "region") {
    throw new MeridianError("forbidden", { message: "Only regions may call here." });
  }
  return peer.regionId;
}

function sameIds(held: readonly string[], current: readonly string[]): boolean {
  return held.length === current.length && current.every((kid) => held.includes(kid));
}
