/** Has a region's live rooms moved to its neighbours, as an operator does; and the region taken back into use. */
import { z } from "zod";
import { callOps } from "../../core/ops/cli-client.ts";
import type { LocalWorld } from "../../infra/local/world.ts";
import type { RegionId } from "../../shared/ids.ts";

/** As fast as it goes. */
const ROOMS_PER_S = 1_000;

/** Resolves once it has begun. */
export async function evacuate(world: LocalWorld, regionId: RegionId): Promise<void> {
  const path = "/ops/evacuations";
  const body = { regionId, roomsPerS: ROOMS_PER_S, dryRun: false };
  await callOps(operatorOf(world), { method: "POST", path, body, answer: z.unknown() });
}

/** The region takes players, and rooms, again. */
export async function takeBack(world: LocalWorld, regionId: RegionId): Promise<void> {
  const path = `/ops/regions/${regionId}/wanted`;
  const body = { state: "active" };
  await callOps(operatorOf(world), { method: "POST", path, body, answer: z.unknown() });
}

function operatorOf({ core, operatorToken }: LocalWorld) {
  return { url: core.opsUrl, token: operatorToken };
}
