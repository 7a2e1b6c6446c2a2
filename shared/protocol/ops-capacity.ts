/** What operators see and store of measured capacity: how many players one node of a region takes. */
import { z } from "zod";
import { NodeId, RegionId } from "../ids.ts";
import { printableText } from "./text.ts";

export const PLAYERS_PER_NODE_MAX = 1_000_000;
/** Of each region, the newest measurements. */
export const LIMITS_LISTED_MAX = 50;

/** `POST /ops/regions/:regionId/capacity`. */
export const CapacityRequest = z.object({
  /** Players that one node takes within the service level. */
  playersPerNode: z.number().int().positive().max(PLAYERS_PER_NODE_MAX),
  /** The nodes' build that was measured: `BUILD` of their settings. */
  build: printableText(64),
  measuredAt: z.iso.datetime({ offset: true }),
  /** What it was measured on, for people. */
  hardware: printableText(200),
  /** What held up to that number, for people. */
  serviceLevel: printableText(300),
  /** Where the report is. */
  evidence: printableText(500).optional(),
  /** Only says what would be done. */
  dryRun: z.boolean().default(false),
});
export type CapacityRequest = z.infer<typeof CapacityRequest>;

export const StoredLimit = z.object({
  regionId: RegionId,
  playersPerNode: z.number(),
  /** What admission gives of it: less the margin. */
  seatsPerNode: z.number(),
  build: z.string(),
  /** ISO 8601. */
  measuredAt: z.string(),
  hardware: z.string(),
  serviceLevel: z.string(),
  evidence: z.string().nullable(),
  /** ISO 8601. */
  storedAt: z.string(),
  /** The operator. */
  storedBy: z.string(),
  /** The newest of its build, which counts for nodes of that build. */
  current: z.boolean(),
});
export type StoredLimit = z.infer<typeof StoredLimit>;

export const CapacityAnswer = z.object({
  regionId: RegionId,
  dryRun: z.boolean(),
  playersPerNode: z.number(),
  seatsPerNode: z.number(),
  /** Live nodes: seats that admission gives there, before and with this limit, and players who have one. */
  nodes: z.array(
    z.object({
      nodeId: NodeId,
      build: z.string(),
      before: z.number(),
      after: z.number(),
      taken: z.number(),
    }),
  ),
});
export type CapacityAnswer = z.infer<typeof CapacityAnswer>;

/** A core forgets it at a restart, and whoever measures may be killed: so it is asked for again meanwhile. */
export const LIFT_S_MAX = 3_600;

/** `POST /ops/regions/:regionId/capacity/lift`: a limit must not hold back the load that looks for the next one. */
export const LiftRequest = z.object({
  /** The region's limits don't count for so long, s; 0: they count again. */
  forS: z.number().int().min(0).max(LIFT_S_MAX),
  /** Only says what would be done. */
  dryRun: z.boolean().default(false),
});
export type LiftRequest = z.infer<typeof LiftRequest>;

export const LiftAnswer = z.object({
  regionId: RegionId,
  dryRun: z.boolean(),
  /** ISO 8601; null: they count. */
  liftedUntil: z.string().nullable(),
});
export type LiftAnswer = z.infer<typeof LiftAnswer>;

/** `GET /ops/capacity`. */
export const CapacitiesAnswer = z.object({
  /** Share of each limit that admission does not give. */
  margin: z.number(),
  /** Of each region the newest first. */
  limits: z.array(StoredLimit),
  /** Regions whose limits don't count now, because a load test looks for the next one. */
  lifted: z.array(z.object({ regionId: RegionId, /** ISO 8601. */ until: z.string() })).default([]),
  /** Builds of live nodes that nobody measured: the region's last limit is used for them. */
  flags: z.array(
    z.object({
      regionId: RegionId,
      flag: z.literal("unmeasured_build"),
      build: z.string(),
      nodes: z.number(),
      /** Of the limit that is used. */
      measuredBuild: z.string(),
    }),
  ),
});
export type CapacitiesAnswer = z.infer<typeof CapacitiesAnswer>;
