/** What a search for a capacity found. */
import { join } from "node:path";
import { z } from "zod";
import { NOT_IN } from "./service-level.ts";

/** What was found, and what is stored of it. */
export const CapacityResult = z.object({
  version: z.literal(1),
  regionId: z.string(),
  /** 0: not even one player was served well. */
  playersPerNode: z.number().int().nonnegative(),
  nodes: z.number().int(),
  /** Why a node may take more than that, in words. */
  doubts: z.array(z.string()),
  serviceLevel: z.string(),
  build: z.string(),
  commit: z.string().nullable(),
  measuredAt: z.string(),
  hardware: z.string(),
  /** Of each round. */
  limits: z.array(z.number()),
  steps: z.array(
    z.object({
      players: z.number(),
      broken: z.array(z.string()),
      echoP99Ms: z.number().nullable(),
      tickP99Ms: z.number().nullable(),
      joinP99Ms: z.number().nullable(),
      /** k6's, of processor time. */
      generatorShare: z.number().nullable(),
      generatorBound: z.boolean(),
      /** Other programs filled the machine that k6 ran on. */
      crowded: z.boolean(),
    }),
  ),
  stored: z.boolean(),
});
export type CapacityResult = z.infer<typeof CapacityResult>;

/**
 * Why the limit may be another than the node's own. Pure.
 * @param broke whether anything broke at all
 */
export function doubtsOf(steps: CapacityResult["steps"], broke: boolean): string[] {
  if (!broke) return ["nothing broke up to --most"];
  const broken = steps.filter((step) => step.broken.length > 0);
  const isAny = (is: (step: (typeof broken)[number]) => boolean) => broken.some(is);
  return [
    ...(isAny(({ generatorBound }) => generatorBound)
      ? ["k6 had no time to spare where it broke; load the region from other machines"]
      : []),
    ...(isAny(({ crowded }) => crowded)
      ? ["other programs filled the machine where it broke"]
      : []),
    ...(isAny((step) => step.broken.some((words) => words.endsWith(NOT_IN)))
      ? ["not all got in: look at REGION_CAPACITY and ADMISSION_HEADROOM"]
      : []),
  ];
}

/** A few lines for people. */
export function resultText(result: CapacityResult, dir: string): string {
  const { regionId, playersPerNode, limits, hardware, build, measuredAt } = result;
  if (playersPerNode === 0) return `✗ ${regionId} serves not even one player as it should`;
  return [
    `✓ ${regionId}: ${playersPerNode} players a node (rounds: ${limits.join(", ")})`,
    ...result.doubts.map((doubt) => `  it may be more: ${doubt}`),
    `  ${result.serviceLevel}`,
    `  build ${build}, ${measuredAt}, ${hardware}`,
    `  ${result.stored ? "stored at the core" : "not stored"}; ${join(dir, "capacity.json")}`,
  ].join("\n");
}
