/**
 * `POST /v1/join`: one call ranks the regions, takes a seat and answers with the ticket for it, or with a place
 * in a region's queue (`queue.ts`).
 * `POST /v1/join/renew` keeps that seat for a client that is still loading, and gives one elsewhere if
 * the room was lost meanwhile.
 * `POST /v1/reconnect` gives a dropped player's kept seat a fresh ticket.
 * `GET /v1/regions` lists where one could play and what to measure.
 */
import { z } from "zod";
import { GameName, NodeId, PlayerId, RegionId, RoomId, SessionId } from "../ids.ts";
import { QueuePlace, QueueToken } from "./queue.ts";

const OPTIONS_BYTES_MAX = 4_096;
/** Above what games pass, and far below what overflows the stack of a program that walks them. */
const OPTIONS_DEPTH_MAX = 32;

/** What the game's own code receives as join options; bounded, and never trusted. */
export const JoinOptions = z
  .record(z.string().max(64), z.unknown())
  // First, and with `abort`: `JSON.stringify` recurses, and overflows at some 5,000 levels.
  .refine((options) => !isDeeperThan(options, OPTIONS_DEPTH_MAX), {
    error: `options are nested ${OPTIONS_DEPTH_MAX} levels at most`,
    abort: true,
  })
  .refine((options) => jsonBytes(options) <= OPTIONS_BYTES_MAX, "4 KiB of options at most");
export type JoinOptions = z.infer<typeof JoinOptions>;

/** As many regions as a topology has at most. */
const REGIONS_MAX = 64;
const AVOIDED_MAX = 8;

/** Round trip times that the client measured, in ms, by region. */
export const RoundTrips = z
  .record(RegionId, z.number().nonnegative().max(60_000))
  .refine((record) => Object.keys(record).length <= REGIONS_MAX, `${REGIONS_MAX} regions at most`);
export type RoundTrips = z.infer<typeof RoundTrips>;

/** What a client measured of its ways to the regions. */
const measuredWays = {
  roundTripsMs: RoundTrips.optional(),
  /** How old that is, ms. */
  roundTripsAgeMs: z.number().int().nonnegative().optional(),
  /** Regions that were asked and did not answer in time. */
  unanswered: z.array(RegionId).max(REGIONS_MAX).optional(),
};

export const RoundTripsReport = z.object(measuredWays);
export type RoundTripsReport = z.infer<typeof RoundTripsReport>;

/** The other members of a party. */
const Party = z.array(PlayerId).max(15);

/** `PUT /v1/me/round-trips`: one's own measurements, so that a party's leader can join for all. */
export const PartyReport = RoundTripsReport.extend({
  /** Who may join for this player. Others can't: an answer tells how far its members are from the regions. */
  party: Party.default([]),
});
export type PartyReport = z.infer<typeof PartyReport>;

export const JoinMode = z.enum(["joinOrCreate", "create", "join", "joinById"]);
export type JoinMode = z.infer<typeof JoinMode>;

export const JoinRequest = z
  .object({
    game: GameName,
    mode: JoinMode.default("joinOrCreate"),
    /** With `joinById`: the room. */
    roomId: RoomId.optional(),
    options: JoinOptions.default({}),
    /** Insists on one region, for example to play with friends there. */
    region: RegionId.optional(),
    /** Regions that this player can't reach, whatever they are to others: no seat there is any use. */
    avoid: z.array(RegionId).max(AVOIDED_MAX).optional(),
    ...measuredWays,
    /** Players whose region is preferred, of those who named this player in their own last join. */
    friends: z.array(PlayerId).max(16).optional(),
    /** The others of the party; the region suits its worst placed one of those who named this player, too. */
    party: Party.optional(),
    protocol: z.number().int().positive(),
    /** Where no seat is free, the answer may be a place in a queue; a client that can't wait gets `queued`. */
    mayQueue: z.boolean().optional(),
    /** Of the place that there is: a called one is exchanged for its seat. */
    queueToken: QueueToken.optional(),
    /** The game's build, compared with what the regions run. */
    build: z.string().max(64).optional(),
  })
  .refine((join) => join.mode !== "joinById" || join.roomId !== undefined, {
    message: "joinById needs a roomId",
    path: ["roomId"],
  });
export type JoinRequest = z.input<typeof JoinRequest>;

/**
 * Where to connect: what Colyseus calls a seat reservation. The websocket's URL is
 * `ws(s)://{publicAddress}/{processId}/{roomId}?sessionId={sessionId}`; the ticket is a prefix of
 * the path inside `publicAddress` (`host:port/t/TICKET`), the one place a stock client carries it.
 */
export const SeatReservation = z.object({
  name: GameName,
  roomId: RoomId,
  sessionId: SessionId,
  processId: NodeId,
  publicAddress: z.string(),
});
export type SeatReservation = z.infer<typeof SeatReservation>;

/** One region as the ranking saw it, best first. */
export const RankedRegion = z.object({
  regionId: RegionId,
  eligible: z.boolean(),
  /** Estimated round trip in ms; from the client's measurement, or from distance. */
  roundTripMs: z.number().nullable(),
  /** Lower is better; ms of latency, and what load and fullness add to it. */
  score: z.number().nullable(),
  /** In words: what the estimate is from, what was added, or why it is not eligible. */
  reasons: z.array(z.string()),
});
export type RankedRegion = z.infer<typeof RankedRegion>;

export const JoinAnswer = z.object({
  ticket: z.string(),
  ticketExpiresInMs: z.number().int().positive(),
  reservation: SeatReservation,
  regionId: RegionId,
  /** All regions in order: the client holds its next choices before it needs them. */
  ranking: z.array(RankedRegion),
});
export type JoinAnswer = z.infer<typeof JoinAnswer>;

/** No seat is free: wait for one, see `queue.ts`. */
export const QueuedAnswer = z.object({
  queue: QueuePlace,
  ranking: z.array(RankedRegion),
});
export type QueuedAnswer = z.infer<typeof QueuedAnswer>;

/** What `POST /v1/join` answers. */
export const JoinOutcome = z.union([JoinAnswer, QueuedAnswer]);
export type JoinOutcome = z.infer<typeof JoinOutcome>;

export const RenewRequest = z.object({
  ticket: z.string().max(2048),
  /** As in the join that the ticket is from: for a seat elsewhere. */
  mode: JoinMode.default("joinOrCreate"),
  options: JoinOptions.default({}),
  ...measuredWays,
});
export type RenewRequest = z.input<typeof RenewRequest>;

/** The part of a reconnection token after `roomId:`; opaque to everyone but the core. */
export const ReconnectionToken = z.string().regex(/^[A-Za-z0-9_-]{20,255}$/);

export const ReconnectRequest = z.object({
  roomId: RoomId,
  reconnectionToken: ReconnectionToken,
  protocol: z.number().int().positive(),
  /**
   * The node that this player was sent to last and can't reach: it could not be connected to, or is silent. Not
   * said by a client that was asleep.
   */
  unreachable: NodeId.optional(),
});
export type ReconnectRequest = z.infer<typeof ReconnectRequest>;

export const RegionInfo = z.object({
  regionId: RegionId,
  /** For people, for example "Beijing". */
  name: z.string(),
  latitude: z.number(),
  longitude: z.number(),
  state: z.enum(["active", "draining", "down", "unknown"]),
  /** `host:port` of a node that answers `GET /ping`; null while none lives. */
  publicAddress: z.string().nullable(),
  players: z.number().int().nonnegative(),
  capacity: z.number().int().nonnegative(),
});
export type RegionInfo = z.infer<typeof RegionInfo>;

export const RegionsAnswer = z.object({
  /** In the order a join would try them. */
  regions: z.array(RegionInfo),
  ranking: z.array(RankedRegion),
  playersOnline: z.number().int().nonnegative(),
});
export type RegionsAnswer = z.infer<typeof RegionsAnswer>;

/** Level by level instead of by recursion, so that the depth costs no stack. */
function isDeeperThan(value: object, depthMax: number): boolean {
  let level = [value];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > depthMax) return true;
    level = level.flatMap((part) => Object.values(part)).filter(isObject);
  }
  return false;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** In UTF-8, as it is sent. Not by `Buffer`: this file also runs in browsers. */
function jsonBytes(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}
