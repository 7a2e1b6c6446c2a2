/** What a search for a capacity found. */
import { join } from "node:path";
import { z } from "zod";

/** What was found, and what is stored of it. */
export const CapacityResult = z.object({
  version: z.literal(1),
  regionId: z.string(),
  /** 0: not even one player was served well. */
  playersPerNode: z.number().int().nonnegative(),
  nodes: z.number().int(),
  /** Whether anything broke; if not, the region may take more. */
  broke: z.boolean(),
  /** Whether k6 was the bottleneck of the step that broke: the region may take more. */
  generatorBound: z.boolean(),
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
    }),
  ),
  stored: z.boolean(),
});
export type CapacityResult = z.infer<typeof CapacityResult>;

/** A few lines for people. */
export function resultText(result: CapacityResult, dir: string): string {
  const { regionId, playersPerNode, limits, hardware, build, measuredAt } = result;
  if (playersPerNode === 0) return `✗ ${regionId} serves not even one player as it should`;
  const more = result.generatorBound
    ? [
        "  k6 was the bottleneck where it broke: the region may take more. Load it from other machines.",
      ]
    : [];
  if (!result.broke) more.push("  nothing broke: the region may take more (--most)");
  return [
    `✓ ${regionId}: ${playersPerNode} players a node (rounds: ${limits.join(", ")})`,
    ...more,
    `  ${result.serviceLevel}`,
    `  build ${build}, ${measuredAt}, ${hardware}`,
    `  ${result.stored ? "stored at the core" : "not stored"}; ${join(dir, "capacity.json")}`,
  ].join("\n");
}
