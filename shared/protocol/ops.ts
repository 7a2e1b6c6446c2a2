/** What operators see and do, on the core's private port: `GET /ops/status`. */
import { z } from "zod";
import { Epoch } from "../epoch.ts";
import { NodeId, RegionId } from "../ids.ts";
import { ReplicationReport } from "./failover.ts";
import { OverloadLevel } from "./overload.ts";
import { StateChange } from "./player-state.ts";
import { AdmissionClass, Eta } from "./queue.ts";
import { printableText } from "./text.ts";

/** Each role may do what the one before it may. */
export const OperatorRole = z.enum(["viewer", "operator", "admin"]);
export type OperatorRole = z.infer<typeof OperatorRole>;

export const NodeStatus = z.object({
  nodeId: NodeId,
  /** `host:port` where it listens for players, behind whatever proxy. */
  nodeAddress: z.string(),
  state: z.enum(["active", "draining", "isolated", "suspect", "down"]),
  heartbeatAgeMs: z.number(),
  connected: z.number(),
  reserved: z.number(),
  /** Seats, as the node itself says. */
  capacity: z.number(),
  /** Seats that admission gives there: no more than was measured, less the margin. */
  offered: z.number(),
  /** Whether the limit was measured on the node's build, or is the last one of another build. */
  limit: z.enum(["none", "measured", "unmeasured_build"]),
  rooms: z.number(),
  eventLoopDelayP99Ms: z.number(),
  /** What it has given up because it has too much to do. */
  overload: OverloadLevel,
  redis: z.enum(["up", "down"]),
  /** Players' changes that wait for the core, and for how long. */
  outbox: z.object({ items: z.number(), bytes: z.number(), ageMs: z.number() }),
  /** How its rooms are copied to others, and how many copies it has; null of a node that copies nothing. */
  replication: ReplicationReport.nullable(),
  build: z.string(),
});

/** A neighbour of a region, and how far away it is. */
export const NeighbourStatus = z.object({
  regionId: RegionId,
  roundTripMs: z.number(),
  /** By the regions themselves; false: expected by the distance. */
  measured: z.boolean(),
});

export const RegionStatus = z.object({
  regionId: RegionId,
  name: z.string(),
  state: z.enum(["active", "draining", "fenced", "isolated", "down", "unknown"]),
  regionEpoch: Epoch,
  /** Players in its queue. */
  waiting: z.number(),
  nodes: z.array(NodeStatus),
  /** Where its players go first when it is lost, in this order. */
  neighbours: z.array(NeighbourStatus),
});

/** What the core knows of its topology file. */
export const TopologyStatus = z.object({
  file: z.string(),
  /** Core time, ms since 1970. */
  inForceSinceMs: z.number(),
  /** Why the file as it is now is not in force, and since when none was; null while it is. */
  refused: z.object({ reason: z.string(), sinceMs: z.number() }).nullable(),
});
export type TopologyStatus = z.infer<typeof TopologyStatus>;

export const StatusAnswer = z.object({
  coreTimeMs: z.number(),
  coreTerm: z.number(),
  /** The core that answers, and the term of its lease; older ones lead without. */
  leader: z.object({ name: z.string(), term: z.number() }).optional(),
  build: z.string(),
  database: z.enum(["up", "down"]),
  playersOnline: z.number(),
  topology: TopologyStatus,
  regions: z.array(RegionStatus),
});
export type StatusAnswer = z.infer<typeof StatusAnswer>;

/** The queue in front of one region. */
export const QueueStatus = z.object({
  regionId: RegionId,
  /** In the line of each class, without those who are called. */
  waiting: z.array(z.object({ class: AdmissionClass, players: z.number() })),
  /** Players for whom a seat is held and who have not come yet. */
  called: z.number(),
  /** Called of late, over about half a minute, a second. */
  letInPerSecond: z.number(),
  /** Of somebody who would come now, in no special class; null while nothing can be said. */
  eta: Eta.nullable(),
  /**
   * Null while the region says nothing. Below 0 where more are taken than should be: `forEveryone` leaves out those
   * that are kept free for players of other regions, of whom `limit` are not.
   */
  seats: z.object({ free: z.number(), forEveryone: z.number(), limit: z.number() }).nullable(),
  /** Seats of those that are called. */
  held: z.number(),
  /** Core time, ms since 1970, after a loss of the queue; null when nothing is held up. */
  pausedUntilMs: z.number().nullable(),
  /** Of an opening that is to come. */
  opensAtMs: z.number().nullable(),
});
export type QueueStatus = z.infer<typeof QueueStatus>;

/** `GET /ops/queue`. */
export const QueueStatusAnswer = z.object({
  coreTimeMs: z.number(),
  /** Players who have a place; with two regions each counts once. */
  players: z.number(),
  regions: z.array(QueueStatus),
});
export type QueueStatusAnswer = z.infer<typeof QueueStatusAnswer>;

/** `PUT /ops/regions/:regionId/opening`: schedules one, or moves the one that is to come. */
export const OpeningRequest = z.object({ opensAt: z.iso.datetime({ offset: true }) });

/** `PUT /ops/players/:playerId/admission-class`; null for the class of everybody. */
export const AdmissionClassRequest = z.object({ class: AdmissionClass.nullable() });
export const AdmissionClassAnswer = AdmissionClassRequest;

/** `POST /ops/players/:playerId/ban`. */
export const BanRequest = z.object({
  /** Shown to the player. */
  reason: z.string().trim().min(1).max(200),
  /** Null for a ban that does not end by itself. */
  endsAt: z.iso.datetime({ offset: true }).nullable(),
});
export type BanRequest = z.infer<typeof BanRequest>;
export const BanAnswer = z.object({
  /** Whether there was a session in a room, and whether its node has been told to end it. */
  session: z.enum(["none", "ended", "pending"]),
});

export const OperatorTokenRequest = z.object({
  name: printableText(64),
  role: OperatorRole,
});
export const OperatorTokenAnswer = z.object({
  id: z.string(),
  name: z.string(),
  role: OperatorRole,
  /** Shown once. */
  token: z.string(),
});

/** `GET /ops/refused`: unresolved ones, newest first. */
export const RefusedAnswer = z.object({
  changes: z.array(
    z.object({
      id: z.number(),
      producerId: z.string(),
      reason: z.string(),
      change: StateChange,
      /** ISO 8601. */
      refusedAt: z.string(),
    }),
  ),
});
export type RefusedAnswer = z.infer<typeof RefusedAnswer>;
