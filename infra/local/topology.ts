/** The part of the topology file that one machine runs. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { RegionId } from "../../shared/ids.ts";

const place = { name: z.string(), latitude: z.number(), longitude: z.number() };

const LocalTopology = z.looseObject({
  core: z.looseObject(place),
  regions: z.array(z.looseObject({ id: RegionId, ...place })).min(1),
});
export type LocalTopology = z.infer<typeof LocalTopology>;
export type LocalRegion = LocalTopology["regions"][number];

/** The first `count` regions of the file, and all else that it says. */
export function readLocalTopology(path: string, count: number): LocalTopology {
  const whole = LocalTopology.parse(JSON.parse(readFileSync(path, "utf8")));
  return { ...whole, regions: whole.regions.slice(0, count) };
}
