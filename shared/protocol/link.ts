/**
 * The private link: mTLS HTTP with JSON, both ways. Who calls is taken from the certificate
 * (`meridian://core`, `meridian://region/beijing`), never from the body.
 *
 * Region → core: `POST /link/heartbeat`, `POST /link/claim`, `POST /link/release-rooms`,
 * `POST /link/reaffirm-rooms`; `POST /link/value`, `POST /link/room-ops`, `POST /link/value-again` (`value.ts`).
 * `POST /link/profiles` (`profiles.ts`); `player-state.ts` has those of players' documents.
 * Core → region: `POST /link/reserve`, `POST /link/reserve-many`, `POST /link/release`, `POST /link/evict`, `POST /link/drain`,
 * `POST /link/wanted`, `POST /link/fence`.
 * Region → region: `GET /link/probe`, by which they measure the way to each other. `failover.ts` has what is said
 * when a node is lost.
 */
import { z } from "zod";
import { EPOCH_NONE, Epoch } from "../epoch.ts";
import { ErrorBody } from "../errors.ts";
import { GameName, NodeId, PlayerId, RegionId, RoomId, SessionId } from "../ids.ts";
import { ReplicationReport, Standbys } from "./failover.ts";
import { JoinMode, JoinOptions, ReconnectionToken } from "./join.ts";
import { OverloadLevel } from "./overload.ts";
import { FeedNews, FeedPlace } from "./profiles.ts";
import { printableText } from "./text.ts";
import { Jwks, PlayerAuth } from "./ticket.ts";
import { OpSeq, RoomOps } from "./value.ts";

/** A region sends one this often, in ms. */
export const HEARTBEAT_PERIOD_MS = 500;
/** A region may serve new players for this long from the sending of its last answered heartbeat. */
export const LEASE_MS = 2_000;
/** The core takes a region for down this long after it received the last heartbeat. */
export const GRACE_MS = 2_250;

const count = z.number().int().nonnegative();
/** Where something listens: a name or an address, and a port. Logs and operators' tables show it. */
export const HostPort = z.string().regex(/^[^\s/\\@?#\p{C}]+:\d{1,5}$/u, "host:port");

/** Regions of one world at most. */
export const PEERS_MAX = 64;
/** What a region measured to each other one: the round trip over the private link, ms. */
export const PeerRoundTrips = z
  .record(RegionId, z.number().min(0).max(60_000))
  .refine((trips) => Object.keys(trips).length <= PEERS_MAX, `${PEERS_MAX} regions at most`);
export type PeerRoundTrips = z.infer<typeof PeerRoundTrips>;

/** Whom a region may measure the way to. */
export const Peers = z.object({
  /** Stands for this very list. */
  version: z.string().max(32),
  /** One place of each region that has any, the asking one among them. */
  regions: z.array(z.object({ regionId: RegionId, linkAddress: HostPort })).max(PEERS_MAX),
});
export type Peers = z.infer<typeof Peers>;

export const Heartbeat = z.object({
  regionId: RegionId,
  nodeId: NodeId,
  /** Grows by one with each; a reordered older one is ignored. */
  sequence: count,
  protocol: count,
  /** Build of the node's software, for example its commit. */
  build: z.string().max(64),
  /** `host:port` that players connect to. */
  publicAddress: HostPort,
  /** `host:port` where the node itself listens for players: a proxy in front of it connects there. */
  nodeAddress: HostPort,
  /** `host:port` on which the core reaches this node's link. */
  linkAddress: HostPort,
  games: z.array(GameName).max(64),
  /**
   * By game: the hash of its state's classes. A node with another one can't go on with its rooms. Absent from nodes of
   * before, and for plain Colyseus games.
   */
  gameStates: z.record(GameName, z.string().max(64)).optional(),
  /** By game: free places in rooms that exist and take anyone, so that new players meet others. */
  openSeats: z.record(GameName, count).default({}),
  state: z.enum(["active", "draining"]),
  /** The region's life that the node serves in; none before its first answer. */
  regionEpoch: Epoch.default(EPOCH_NONE),
  /** Most players (connected and reserved) that this node takes. */
  capacity: count,
  /** Players in rooms. */
  connected: count,
  /** Seats promised to tickets that have not arrived yet, and to players who dropped. */
  reserved: count,
  /** The number of the last seat granted that `connected` and `reserved` count; absent from nodes of before. */
  seatsGranted: count.optional(),
  rooms: count,
  load: z.object({
    /** 99th percentile of the event loop's delay since the last heartbeat, ms. */
    eventLoopDelayP99Ms: z.number().nonnegative(),
    /** 0 to 1. */
    eventLoopUtilisation: z.number().min(0).max(1),
    rssBytes: count,
  }),
  /** What the node has given up because it has too much to do; absent from nodes of before. */
  overload: OverloadLevel.optional(),
  /** Whether this region's own Redis answers. */
  redis: z.enum(["up", "down"]),
  /** Players' changes that wait for the core; absent from nodes of before. */
  outbox: z.object({ items: count, bytes: count, ageMs: z.number().nonnegative() }).optional(),
  /** The key ids of the JWKS that the node holds, so that the core sends it only when it changed. */
  keyIds: z.array(z.string().max(64)).max(16),
  /** Rooms that ended since the last answered heartbeat. */
  endedRooms: z.array(RoomId).max(1000),
  /** Players who left their room for good since then; what is missing here costs their next join a call. */
  leftSessions: z
    .array(
      z.object({
        playerId: PlayerId,
        sessionId: SessionId,
        /** Whether the connection was lost and the player did not come back, or never came, in time. */
        dropped: z.boolean().optional(),
      }),
    )
    .max(1000)
    .default([]),
  /** Up to where the node has the feed of changed profiles; absent before it has any. */
  feed: FeedPlace.optional(),
  /** Of the peers that the node knows, empty before it knows any; absent from nodes that measure none. */
  peersVersion: z.string().max(32).optional(),
  /** Absent from nodes that measure none. */
  probes: PeerRoundTrips.optional(),
  /** Of the standbys that the node knows, empty before it knows any; absent from nodes that copy nothing. */
  standbysVersion: z.string().max(32).optional(),
  /** Absent from nodes that copy nothing. */
  replication: ReplicationReport.optional(),
  /** Whether it came through another node, because the node's own way to the core is cut. */
  relayed: z.boolean().optional(),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

export const HeartbeatAnswer = z.object({
  /** Core time, ms since 1970: tickets are judged by it. */
  coreTimeMs: z.number(),
  leaseMs: z.number().int().positive(),
  regionEpoch: Epoch,
  /** When it has risen the core may have lost what it said before. */
  coreTerm: count.optional(),
  /** Present only when the node's key ids differ from the core's. */
  jwks: Jwks.optional(),
  /** Absent from a core that has none. */
  feed: FeedNews.optional(),
  /** Present only when the node names another version. */
  peers: Peers.optional(),
  /** Present only when the node names another version. */
  standbys: Standbys.optional(),
  /**
   * What an operator wants of this node. `fenced`: the life that it serves in is over. Its rooms are not its
   * own any more and end, it has no lease, and names `regionEpoch` from the next heartbeat on.
   */
  wanted: z.enum(["active", "draining", "fenced"]),
});
export type HeartbeatAnswer = z.infer<typeof HeartbeatAnswer>;

/** Answered to whoever measures the way here: another region, or the core. */
export const PROBE_PATH = "/link/probe";

/** A node asks to own a room it has made. Idempotent by `claimId`, which is never used for another. */
export const ClaimRequest = z.object({
  claimId: printableText(64).min(8),
  roomId: RoomId,
  game: GameName,
  nodeId: NodeId,
  /** Of a room that is restored: up to where it knows its operations. A new room knows of none. */
  opSeq: OpSeq.optional(),
  /** Of a room that is restored: the owner whose state it is. Whoever owned it since has a newer one. */
  formerEpoch: Epoch.optional(),
  /** The region's life in which the node asks; one that is over gets no room. */
  regionEpoch: Epoch.default(EPOCH_NONE),
});
export type ClaimRequest = z.infer<typeof ClaimRequest>;
export const ClaimAnswer = z.object({
  roomEpoch: Epoch,
  /** Those after that place; of a new room none, and where it begins. `POST /link/room-ops` has more. */
  roomOps: RoomOps.optional(),
});
export type ClaimAnswer = z.infer<typeof ClaimAnswer>;

/**
 * A node gives up rooms for their next owner, having captured them or about to. Until that owner's
 * claim, or for `RELEASED_ROOM_MS`, players who ask for such a room are asked to wait.
 */
export const ReleaseRoomsRequest = z.object({
  nodeId: NodeId,
  roomIds: z.array(RoomId).min(1).max(1000),
});
export type ReleaseRoomsRequest = z.infer<typeof ReleaseRoomsRequest>;
/** How many of them the node held. */
export const ReleaseRoomsAnswer = z.object({ released: count });
export type ReleaseRoomsAnswer = z.infer<typeof ReleaseRoomsAnswer>;
/** A released room that nobody claimed for this long has ended, ms. */
export const RELEASED_ROOM_MS = 15_000;

/**
 * After the core's term rose: the rooms that the node holds. A core that was restored to before their claims
 * takes the node's word, unless it knows a later owner.
 */
export const ReaffirmRoomsRequest = z.object({
  nodeId: NodeId,
  rooms: z
    .array(z.object({ roomId: RoomId, game: GameName, roomEpoch: Epoch, opSeq: OpSeq }))
    .min(1)
    .max(500),
});
export type ReaffirmRoomsRequest = z.infer<typeof ReaffirmRoomsRequest>;
/** Those that are the node's. */
export const ReaffirmRoomsAnswer = z.object({ held: z.array(RoomId) });
export type ReaffirmRoomsAnswer = z.infer<typeof ReaffirmRoomsAnswer>;

const ReconnectSeat = z.object({
  kind: z.literal("reconnect"),
  playerId: PlayerId,
  roomId: RoomId,
  sessionId: SessionId,
  reconnectionToken: ReconnectionToken,
});
export type ReconnectSeat = z.infer<typeof ReconnectSeat>;

/** `reserve` takes a new seat, `renew` keeps one for longer, `reconnect` finds a dropped player's. */
export const ReserveRequest = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("seat"),
    player: PlayerAuth,
    game: GameName,
    mode: JoinMode,
    roomId: RoomId.optional(),
    options: JoinOptions,
    /** The seat is free again when the player has not arrived after this, ms. */
    holdMs: z.number().int().positive(),
  }),
  z.object({
    kind: z.literal("renew"),
    roomId: RoomId,
    sessionId: SessionId,
    holdMs: z.number().int().positive(),
  }),
  ReconnectSeat,
]);
export type ReserveRequest = z.infer<typeof ReserveRequest>;

export const ReserveAnswer = z.object({
  nodeId: NodeId,
  game: GameName,
  roomId: RoomId,
  sessionId: SessionId,
  /** Of a new seat: its number, by which the core knows the heartbeats that count it. */
  grant: count.optional(),
});
export type ReserveAnswer = z.infer<typeof ReserveAnswer>;

/** More players who come back to one node are asked for by another call. */
export const RETURNS_PER_CALL_MAX = 100;

/** `reconnect` for all who come back to a node in one moment, each as if it were asked for alone. */
export const ReserveManyRequest = z.object({
  requests: z.array(ReconnectSeat).max(RETURNS_PER_CALL_MAX),
});
export type ReserveManyRequest = z.infer<typeof ReserveManyRequest>;

/** In the order of the requests. */
export const ReserveManyAnswer = z.object({
  answers: z.array(z.union([ReserveAnswer, ErrorBody])).max(RETURNS_PER_CALL_MAX),
});
export type ReserveManyAnswer = z.infer<typeof ReserveManyAnswer>;

/** Gives back a seat whose ticket will not be used. Releasing what is not held is no error. */
export const ReleaseRequest = z.object({ roomId: RoomId, sessionId: SessionId });
export type ReleaseRequest = z.infer<typeof ReleaseRequest>;

/** Why the core ends a session. */
export const EvictionKind = z.enum([
  "banned",
  "logged_out",
  "account_deleted",
  "session_taken_over",
]);
export type EvictionKind = z.infer<typeof EvictionKind>;

/**
 * Ends a session, whatever became of it: a seat that waits for its player, one who plays, one who
 * dropped. The connection is closed for that kind, which is final. What is not there is no error.
 */
export const EvictRequest = z.object({
  roomId: RoomId,
  sessionId: SessionId,
  kind: EvictionKind,
});
export type EvictRequest = z.infer<typeof EvictRequest>;

/** No new seats and no new rooms; those that run may end by themselves. `active` undoes it. */
export const DrainRequest = z.object({ state: z.enum(["active", "draining"]) });
export type DrainRequest = z.infer<typeof DrainRequest>;

/** The region's life that a node may have served in is over; see `HeartbeatAnswer`. */
export const FenceRequest = z.object({ regionEpoch: Epoch });
export type FenceRequest = z.infer<typeof FenceRequest>;

export const Done = z.object({ ok: z.literal(true) });
export type Done = z.infer<typeof Done>;
