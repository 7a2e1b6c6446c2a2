/** What operators see and do when rooms and players have to leave a node or a region. */
import { z } from "zod";
import { Epoch } from "../epoch.ts";
import { GameName, NodeId, PlayerId, RegionId, RoomId, SessionId } from "../ids.ts";

const count = z.number().int().nonnegative();

export const EVACUATION_ROOMS_PER_S_MAX = 1_000;
/** Rooms and players of one answer. */
export const LISTED_MAX = 500;

/** A region, or one node of it. */
export const EvacuationTarget = z.object({
  regionId: RegionId,
  nodeId: NodeId.optional(),
});
export type EvacuationTarget = z.infer<typeof EvacuationTarget>;

/** `POST /ops/evacuations`. */
export const EvacuationRequest = EvacuationTarget.extend({
  roomsPerS: z.number().positive().max(EVACUATION_ROOMS_PER_S_MAX),
  /** Only says what would be done. */
  dryRun: z.boolean().default(false),
});

/** How many rooms go to a node. */
export const RoomsTo = z.object({ nodeId: NodeId, rooms: count });
export type RoomsTo = z.infer<typeof RoomsTo>;

/** What an evacuation would do now. */
export const EvacuationPlan = z.object({
  regionId: RegionId,
  nodeId: NodeId.nullable(),
  /** Those that can move. */
  rooms: count,
  /** Of all its live nodes, as they told last. */
  players: count,
  targets: z.array(RoomsTo),
  /** They run on where they are. */
  withoutCopy: count,
  /** Rooms of plain Colyseus: nobody has claimed them, and they run on where they are. */
  unclaimed: count,
  /** Nodes that did not say which copies they have. */
  silent: z.array(NodeId),
});
export type EvacuationPlan = z.infer<typeof EvacuationPlan>;

/** How far an evacuation is. */
export const EvacuationStatus = z.object({
  regionId: RegionId,
  nodeId: NodeId.nullable(),
  phase: z.enum(["running", "paused", "stopped", "done"]),
  by: z.string(),
  /** Core time, ms since 1970. */
  startedAtMs: z.number(),
  endedAtMs: z.number().nullable(),
  roomsPerS: z.number(),
  /** Rooms that run at their next node, and the players who had a seat in them. */
  moved: count,
  players: count,
  /** Rooms that are between two nodes at this moment. */
  moving: count,
  /** Rooms that wait for their turn. */
  left: count,
  /** Rooms that ended by themselves. */
  gone: count,
  /** Rooms that could not be moved and run on. */
  failed: count,
  /** Rooms that left their owner and could not go on elsewhere. */
  lost: count,
  /** The last ones. */
  errors: z.array(z.object({ roomId: RoomId, why: z.string() })),
});
export type EvacuationStatus = z.infer<typeof EvacuationStatus>;

export const EvacuationAnswer = z.object({
  /** Of a dry run. */
  plan: EvacuationPlan.optional(),
  evacuation: EvacuationStatus.optional(),
});
export type EvacuationAnswer = z.infer<typeof EvacuationAnswer>;

/** `GET /ops/evacuations`: the last one of each region, or of a node of it. */
export const EvacuationsAnswer = z.object({ evacuations: z.array(EvacuationStatus) });

export const EvacuationOrder = z.enum(["pause", "resume", "stop"]);
export type EvacuationOrder = z.infer<typeof EvacuationOrder>;

/** `POST /ops/failover`: of a region or of a node. */
export const FailoverRequest = z
  .object({
    regionId: RegionId.optional(),
    nodeId: NodeId.optional(),
    dryRun: z.boolean().default(false),
  })
  .refine(
    ({ regionId, nodeId }) => (regionId === undefined) !== (nodeId === undefined),
    "name a region or a node",
  );

/** What a failover does, or would do. */
export const FailoverPlan = z.object({
  /** Those that are fenced. */
  nodes: z.array(NodeId),
  rooms: count,
  players: count,
  /** Rooms of which another node has a copy. */
  protectedRooms: count,
  /** Rooms that end. */
  unprotectedRooms: count,
  targets: z.array(RoomsTo),
  /** False of a dry run. */
  done: z.boolean(),
});
export type FailoverPlan = z.infer<typeof FailoverPlan>;

/** `POST /ops/regions/:regionId/failback`. */
export const FailbackAnswer = z.object({
  regionId: RegionId,
  dryRun: z.boolean(),
  /** What was wanted of it before. */
  was: z.enum(["active", "draining", "fenced"]),
  /** `draining` still when the topology drains the region. */
  wanted: z.enum(["active", "draining"]),
  regionEpoch: Epoch,
  nodes: z.array(z.object({ nodeId: NodeId, told: z.boolean() })),
});
export type FailbackAnswer = z.infer<typeof FailbackAnswer>;

/** `GET /ops/rooms`: open ones, in the order of their ids. */
export const RoomsQuery = z.object({
  region: RegionId.optional(),
  node: NodeId.optional(),
  after: RoomId.optional(),
});
export const RoomsAnswer = z.object({
  rooms: z.array(
    z.object({
      roomId: RoomId,
      game: GameName,
      regionId: RegionId,
      nodeId: NodeId,
      roomEpoch: Epoch,
      /** With a seat in it, as far as the core knows. */
      players: count,
      /** ISO 8601: when its present owner got it. */
      since: z.string(),
    }),
  ),
  /** Where the next page begins; null after the last. */
  next: RoomId.nullable(),
});
export type RoomsAnswer = z.infer<typeof RoomsAnswer>;

/** `GET /ops/players`: one player, or those with a seat in a room, or at a node, or in a region. */
export const PlayersQuery = z
  .object({
    player: PlayerId.optional(),
    room: RoomId.optional(),
    node: NodeId.optional(),
    region: RegionId.optional(),
  })
  .refine((query) => Object.keys(query).length === 1, "name a player, a room, a node or a region");
export type PlayersQuery = z.infer<typeof PlayersQuery>;
export const PlayersAnswer = z.object({
  players: z.array(
    z.object({
      playerId: PlayerId,
      name: z.string(),
      /** Null while the player has no seat; the rest is of the last one then. */
      sessionId: SessionId.nullable(),
      game: z.string(),
      regionId: RegionId,
      nodeId: NodeId,
      roomId: RoomId,
      /** Where the room runs now; null when it has ended, or claims nothing. */
      roomAt: NodeId.nullable(),
      /** ISO 8601: when the seat was got; null of seats of before that was kept. */
      since: z.string().nullable(),
    }),
  ),
  /** Whether there are more. */
  more: z.boolean(),
});
export type PlayersAnswer = z.infer<typeof PlayersAnswer>;
