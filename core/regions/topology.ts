/** The topology file: which regions there are, where, and how much weight an operator gives them. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { RegionId } from "../../shared/ids.ts";

const REGIONS_MAX = 64;

const place = {
  /** For people, for example "Beijing". */
  name: z.string().min(1).max(64),
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
};

export const RegionSpec = z.strictObject({
  id: RegionId,
  ...place,
  /** Players that the region is planned for; what its nodes report decides. */
  capacity: z.number().int().positive(),
  /** Above 1 draws players to it, below 1 sends them elsewhere: load costs it less, or more. */
  weight: z.number().positive().max(100).default(1),
});
export type RegionSpec = z.infer<typeof RegionSpec>;

export const Topology = z
  .strictObject({
    core: z.strictObject(place),
    regions: z.array(RegionSpec).min(1).max(REGIONS_MAX),
  })
  .superRefine(({ regions }, context) => {
    const seen = new Set<string>();
    for (const [index, region] of regions.entries()) {
      if (seen.has(region.id)) {
        context.addIssue({
          code: "custom",
          path: ["regions", index, "id"],
          message: `"${region.id}" is there twice`,
        });
      }
      seen.add(region.id);
    }
  });
export type Topology = z.infer<typeof Topology>;

/** @throws one line that names the file and everything that is wrong in it */
export function loadTopology(path: string): Topology {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`can't read the topology file ${path}: ${why}`, { cause });
  }
  const parsed = Topology.safeParse(content);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "it"}: ${issue.message}`,
  );
  throw new Error(`the topology file ${path} is wrong: ${problems.join("; ")}`);
}
