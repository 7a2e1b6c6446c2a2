/** `summary.json`: all that is known of one run, and all that its report shows. */
import { z } from "zod";
import { Cpu, Generator } from "./generator.ts";
import { Spread } from "./spread.ts";

/** Raised when a reader of before would misunderstand it. */
export const SUMMARY_VERSION = 1;

const count = z.number().nonnegative();

export const LoadEvent = z.object({
  /** Seconds since the run began. */
  atS: z.number(),
  what: z.string(),
});
export type LoadEvent = z.infer<typeof LoadEvent>;

/** Of a region, as the core's operators see it. */
export const RegionLoad = z.object({
  regionId: z.string(),
  state: z.string(),
  /** In rooms. */
  players: count,
  /** Of all its live nodes. */
  capacity: count,
  waiting: count,
  rooms: count,
  nodes: count,
  /** Of those nodes. */
  builds: z.array(z.string()),
  /** Of the node that is the latest, ms: a tick begins so late, 99 of 100 times. */
  tickLatenessP99Ms: count,
});
export type RegionLoad = z.infer<typeof RegionLoad>;

export const LoadWindow = z.object({
  /** Seconds since the run began, at the window's begin. */
  atS: z.number(),
  /** At play, as k6 counts them. */
  players: count,
  joins: count,
  failures: count,
  inputs: count,
  patches: count,
  /** Refusals that said when to come back. */
  refusals: count,
  /** As k6 counts them; the regions' `waiting` is the servers' count. */
  queue: count,
  login: Spread.optional(),
  join: Spread.optional(),
  echo: Spread.optional(),
  downtime: Spread.optional(),
  lookUp: Spread.optional(),
  generatorLag: Spread.optional(),
  /** Empty where the operators' port was not asked, or did not answer. */
  regions: z.array(RegionLoad),
  cpu: Cpu.optional(),
});
export type LoadWindow = z.infer<typeof LoadWindow>;

export const ThresholdResult = z.object({
  metric: z.string(),
  expression: z.string(),
  passed: z.boolean(),
});
export type ThresholdResult = z.infer<typeof ThresholdResult>;

export const LoadSummary = z.object({
  version: z.literal(SUMMARY_VERSION),
  scenario: z.string(),
  what: z.string(),
  /**
   * `failed`: a threshold or a check did not hold. `interrupted`: ended before its time, by Ctrl-C.
   * `broken`: k6 or what it ran against could not do it, see `problem`.
   */
  outcome: z.enum(["passed", "failed", "interrupted", "broken"]),
  problem: z.string().nullable(),
  /** ISO 8601. */
  startedAt: z.string(),
  durationS: z.number(),
  /** Of a window of `windows`. */
  windowS: z.number(),
  parameters: z.record(z.string(), z.string()),
  target: z.object({
    kind: z.enum(["local world", "given core"]),
    coreUrl: z.string(),
    /** Of the core; null where it was not asked. */
    build: z.string().nullable(),
    regions: z.array(z.string()),
    wan: z.boolean(),
  }),
  machine: z.object({
    processors: z.number(),
    model: z.string(),
    memoryGiB: z.number(),
    system: z.string(),
    node: z.string(),
    k6: z.string(),
  }),
  /** Of this copy of the scripts; null outside of a Git checkout. */
  commit: z.string().nullable(),
  generator: Generator,
  thresholds: z.array(ThresholdResult),
  checks: z.array(z.object({ name: z.string(), passes: count, fails: count })),
  totals: z.object({
    playersMost: count,
    joins: count,
    inputs: count,
    patches: count,
    refusals: count,
    failures: z.record(z.string(), count),
    /** Samples that came too late for their window; those of windows that are not kept too. */
    lateSamples: count,
  }),
  trends: z.object({
    login: Spread.optional(),
    join: Spread.optional(),
    echo: Spread.optional(),
    downtime: Spread.optional(),
    lookUp: Spread.optional(),
    /** From when a frame came until k6's script got to it, the longest of each second. */
    generatorLag: Spread.optional(),
  }),
  /** Of a drill: how many were struck, as the core counted them, and who of them did not come back. */
  drill: z
    .object({
      regionId: z.string(),
      how: z.string(),
      players: count,
      back: count,
      missing: count,
    })
    .nullable(),
  events: z.array(LoadEvent),
  windows: z.array(LoadWindow),
});
export type LoadSummary = z.infer<typeof LoadSummary>;
