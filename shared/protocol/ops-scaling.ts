/** How many nodes each region should run, and why: `GET /ops/scaling`. */
import { z } from "zod";
import { NodeId, RegionId } from "../ids.ts";

/** Decisions that are told, the newest. */
export const DECISIONS_KEPT_MAX = 100;

export const ScalingReason = z.enum([
  "load",
  "queue",
  "trend",
  "n_plus_1",
  "minimum",
  "maximum",
  "cool_down",
  "calm",
  "steady",
  "bounds",
  "left_alone",
]);
export type ScalingReason = z.infer<typeof ScalingReason>;

/** A live node, as whoever starts and ends nodes needs to know it. */
export const ScaledNode = z.object({
  nodeId: NodeId,
  /** `host:port` where the core reaches its link. */
  linkAddress: z.string(),
  /** Whether it takes no new players: it is being emptied, or ends. */
  draining: z.boolean(),
  /** Players with a seat there. */
  taken: z.number(),
  rooms: z.number(),
});
export type ScaledNode = z.infer<typeof ScaledNode>;

export const RegionScalingStatus = z.object({
  regionId: RegionId,
  wanted: z.number(),
  /** Nodes that live and are not being emptied. */
  running: z.number(),
  min: z.number(),
  max: z.number(),
  reason: ScalingReason,
  /** The same in words, with its numbers. */
  why: z.string(),
  /** Core time, ms since 1970, when another number was wanted last. */
  sinceMs: z.number(),
  players: z.number(),
  waiting: z.number(),
  /** Seats that admission gives on one node; null while nobody knows. */
  seatsPerNode: z.number().nullable(),
  nodes: z.array(ScaledNode),
});
export type RegionScalingStatus = z.infer<typeof RegionScalingStatus>;

export const ScalingDecision = z.object({
  regionId: RegionId,
  /** Core time, ms since 1970. */
  atMs: z.number(),
  /** Null of the first one since the core started. */
  from: z.number().nullable(),
  to: z.number(),
  reason: ScalingReason,
  why: z.string(),
});
export type ScalingDecision = z.infer<typeof ScalingDecision>;

export const ScalingAnswer = z.object({
  coreTimeMs: z.number(),
  regions: z.array(RegionScalingStatus),
  /** The newest first. */
  decisions: z.array(ScalingDecision),
});
export type ScalingAnswer = z.infer<typeof ScalingAnswer>;
