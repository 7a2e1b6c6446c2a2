/** The part of a topology file that one machine runs. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { RegionId } from "../../shared/ids.ts";

const place = { name: z.string(), latitude: z.number(), longitude: z.number() };

const LocalRegion = z.looseObject({
  id: RegionId,
  ...place,
  neighbours: z.array(RegionId).optional(),
});
const LocalTopology = z.looseObject({
  core: z.looseObject(place),
  regions: z.array(LocalRegion).min(1),
});
export type LocalTopology = z.infer<typeof LocalTopology>;
export type LocalRegion = z.infer<typeof LocalRegion>;

/**
 * The first `count` regions of the file, neighbours of each other alone, and all else that it says.
 * @throws one clear line when it has fewer
 */
export function readLocalTopology(path: string, count: number): LocalTopology {
  const whole = LocalTopology.parse(JSON.parse(readFileSync(path, "utf8")));
  const regions = whole.regions.slice(0, count);
  if (regions.length < count) throw new Error(`${path} has ${regions.length} regions only`);
  const ids = new Set(regions.map(({ id }) => id));
  return { ...whole, regions: regions.map((region) => withNeighboursIn(ids, region)) };
}

/** Without any that is left it has the nearest ones, as a region whose neighbours nobody gave. */
function withNeighboursIn(ids: ReadonlySet<RegionId>, region: LocalRegion): LocalRegion {
  const { neighbours, ...rest } = region;
  const left = neighbours?.filter((id) => ids.has(id)) ?? [];
  return left.length > 0 ? { ...rest, neighbours: left } : rest;
}
