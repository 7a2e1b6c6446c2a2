/**
 * How rooms outlive their node: copies at standbys, what is said when one takes over, and what nodes and the core
 * tell each other of a node that may be gone.
 *
 * Region → region, mutual TLS: `GET /link/replicas` with `Upgrade: meridian-replicas` opens the stream on which a
 * node sends its rooms' frames to a standby. `GET /link/relay` with `Upgrade: meridian-relay` opens a tunnel to the
 * core for a node whose own way there is cut; mutual TLS goes through it from end to end.
 * Core → region: `POST /link/copies` asks what copies a node has, `POST /link/take-over` has it go on with rooms,
 * `POST /link/pass-copies` has it hand copies on to a node with more seats, `POST /link/move-rooms` has an owner
 * move live rooms, `POST /link/witness` asks what a node sees of another one.
 * Region → core: `POST /link/evidence` tells what became of another node, at once.
 */
import { z } from "zod";
import { Epoch } from "../epoch.ts";
import { GameName, NodeId, RoomId } from "../ids.ts";

const count = z.number().int().nonnegative();
/** As `HostPort` of `link.ts`, which imports this file. */
const hostPort = z.string().regex(/^[^\s/\\@?#\p{C}]+:\d{1,5}$/u, "host:port");
const reason = z.string().max(200);

/** Of one call: more rooms are asked for again. */
export const ROOMS_PER_CALL_MAX = 500;
export const STANDBYS_MAX = 16;
const COPIES_MAX = 10_000;

export const REPLICAS_PATH = "/link/replicas";
export const REPLICAS_PROTOCOL = "meridian-replicas";
export const RELAY_PATH = "/link/relay";
export const RELAY_PROTOCOL = "meridian-relay";

/** A node, and where it listens for calls of other nodes. */
export const NodeAddress = z.object({ nodeId: NodeId, linkAddress: hostPort });
export type NodeAddress = z.infer<typeof NodeAddress>;

/** Nodes that may have copies of a node's rooms. */
export const Standbys = z.object({
  /** Stands for this very list. */
  version: z.string().max(32),
  /**
   * Healthy ones with seats to spare, all of the nearest neighbour region that has any; siblings of the node only
   * where no other region has one.
   */
  nodes: z.array(NodeAddress).max(STANDBYS_MAX),
});
export type Standbys = z.infer<typeof Standbys>;

/** In a node's heartbeat: how its rooms are copied, and whose copies it has. */
export const ReplicationReport = z.object({
  /** Rooms whose standby has a whole copy. */
  protectedRooms: count,
  /** Rooms that can be copied and of which no standby has a whole copy. */
  unprotectedRooms: count,
  /** Of other nodes' rooms, here. */
  copies: count,
  /** How far the worst copy of its rooms is behind, ms. */
  lagMs: z.number().nonnegative(),
});
export type ReplicationReport = z.infer<typeof ReplicationReport>;

/** Which copies of rooms of these nodes a node has. */
export const CopiesRequest = z.object({ ofNodes: z.array(NodeId).min(1).max(64) });
export type CopiesRequest = z.infer<typeof CopiesRequest>;

export const RoomCopy = z.object({
  roomId: RoomId,
  game: GameName,
  /** Whose room it is. */
  ofNode: NodeId,
  /** Under which that node ran it: a copy of an earlier owner is worth nothing beside one of a later. */
  roomEpoch: Epoch,
  /** Of the room, at the last frame. */
  tick: count,
  players: count,
});
export type RoomCopy = z.infer<typeof RoomCopy>;

export const CopiesAnswer = z.object({ copies: z.array(RoomCopy).max(COPIES_MAX) });
export type CopiesAnswer = z.infer<typeof CopiesAnswer>;

/** A copy, named. */
export const CopyName = z.object({ roomId: RoomId, ofNode: NodeId, roomEpoch: Epoch });
export type CopyName = z.infer<typeof CopyName>;

/** Go on with these rooms, whose owner is fenced or has released them. Idempotent. */
export const TakeOverRequest = z.object({
  rooms: z.array(CopyName).min(1).max(ROOMS_PER_CALL_MAX),
});
export type TakeOverRequest = z.infer<typeof TakeOverRequest>;

/** Why a room can't be gone on with or passed on, where others do something else about it than try elsewhere. */
export const NO_COPY = "no copy of that epoch";
/** Begins what is said of a copy that can't be decoded. */
export const BAD_COPY = "bad copy";
/** There may be some in a moment. */
export const NO_SEATS = "no seats";

const FailedRoom = z.object({ roomId: RoomId, why: reason });
export type FailedRoom = z.infer<typeof FailedRoom>;

/** The rooms that are restored here and wait for their epoch or have it, and those that can't be. */
export const TakeOverAnswer = z.object({
  taken: z.array(z.object({ roomId: RoomId, players: count, tick: count })),
  failed: z.array(FailedRoom),
});
export type TakeOverAnswer = z.infer<typeof TakeOverAnswer>;

/** Send whole copies of these rooms to that node, which then can take them over. */
export const PassCopiesRequest = z.object({
  rooms: z.array(CopyName).min(1).max(ROOMS_PER_CALL_MAX),
  to: NodeAddress,
});
export type PassCopiesRequest = z.infer<typeof PassCopiesRequest>;
export const PassCopiesAnswer = z.object({ passed: z.array(RoomId), failed: z.array(FailedRoom) });
export type PassCopiesAnswer = z.infer<typeof PassCopiesAnswer>;

/**
 * Stop these live rooms and let their standbys have their last frame: the answer names whom. The owner has released
 * them at the core by then, and sent their players to reconnect. A room that could not be given runs on.
 */
export const MoveRoomsRequest = z.object({
  roomIds: z.array(RoomId).min(1).max(ROOMS_PER_CALL_MAX),
});
export type MoveRoomsRequest = z.infer<typeof MoveRoomsRequest>;
export const MoveRoomsAnswer = z.object({
  /** `tick`: the last one that ran at the owner. */
  moved: z.array(z.object({ roomId: RoomId, to: NodeId, roomEpoch: Epoch, tick: count })),
  stayed: z.array(FailedRoom),
});
export type MoveRoomsAnswer = z.infer<typeof MoveRoomsAnswer>;

/**
 * What was seen of a node. `refused`: connections to it are refused, or end before a byte comes: its process is
 * gone. `silent`: it answers nothing in time. `answers`: it does.
 */
export const Saw = z.enum(["refused", "silent", "answers"]);
export type Saw = z.infer<typeof Saw>;

/** Look at this node now. */
export const WitnessRequest = z.object({ about: NodeAddress });
export type WitnessRequest = z.infer<typeof WitnessRequest>;
export const WitnessAnswer = z.object({ saw: Saw });
export type WitnessAnswer = z.infer<typeof WitnessAnswer>;

/**
 * A node tells what it saw of another one, unasked: the stream of its rooms broke. That it answers is told only to
 * whoever asks: unasked, it would keep a dead node alive for as long as one region says so.
 */
export const Evidence = z.object({
  nodeId: NodeId,
  about: NodeAddress,
  saw: Saw.exclude(["answers"]),
});
export type Evidence = z.infer<typeof Evidence>;
