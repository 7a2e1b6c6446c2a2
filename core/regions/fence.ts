/**
 * Takes everything from a region at once, in one transaction: its epoch is raised, and its rooms are ended.
 *
 * The region's row comes first, exclusively: claims hold it shared, so none is under way from then on, and a
 * later one finds the region fenced. Then its rooms' rows: each operation on money and items holds its
 * room's, so the fence waits for those under way and sees all that was committed; a later one finds its
 * room ended and is refused as `fenced`. The rooms' epochs rise with their next claims. Players whose
 * documents the region owned are free for their next owners; what it still writes of those whom nobody has
 * loaded since counts.
 */
import type { RegionId } from "../../shared/ids.ts";
import type { Tx } from "../db/database.ts";
import { freePlayersOf } from "../sync/owner-store.ts";
import { fenced, type RegionLife, unfenced } from "./fence-step.ts";
import * as store from "./region-store.ts";

export interface Fenced {
  readonly life: RegionLife;
  /** False when the region was fenced already. */
  readonly changed: boolean;
  /** How many rooms were ended. */
  readonly rooms: number;
}

export async function fenceRegion(
  tx: Tx,
  regionId: RegionId,
  { coreTerm, at }: { readonly coreTerm: number; readonly at: Date },
): Promise<Fenced> {
  const before = await store.lockRegion(tx, regionId);
  const life = fenced(before, coreTerm);
  await store.changeLife(tx, regionId, before, life);
  const rooms = await store.endRegionRooms(tx, regionId, at);
  await freePlayersOf(tx, regionId, at);
  return { life, changed: life !== before, rooms };
}

/** Nodes of the region may take new rooms, under the epoch of the fence. */
export async function unfenceRegion(tx: Tx, regionId: RegionId): Promise<RegionLife> {
  const before = await store.lockRegion(tx, regionId);
  const life = unfenced(before);
  await store.changeLife(tx, regionId, before, life);
  return life;
}
