/** One loss of a region: its players are struck, found again elsewhere, and the region comes back. */
import type { LocalWorld } from "../../../infra/local/world.ts";
import type { RegionId } from "../../../shared/ids.ts";
import type { Undo } from "../../followed/blows.ts";
import { countOf, type FollowedCrowd } from "../../followed/followed-crowd.ts";
import {
  fullestRegion,
  playersByRegion,
  waitFor,
  whenReady,
} from "../../followed/followed-world.ts";
import type { Leg } from "../../followed/leg.ts";
import { LegBook } from "../../followed/leg-book.ts";
import { type Resumption, resumptionsOf } from "../../followed/resumptions.ts";

export interface LossWorld {
  readonly world: LocalWorld;
  readonly crowd: FollowedCrowd;
  readonly signal: AbortSignal;
}

export interface Lost {
  readonly rooms: number;
  /** Of each player who was there. */
  readonly resumptions: readonly Resumption[];
}

export type Blow = (world: LocalWorld, regionId: RegionId) => Promise<Undo>;

/** Restarts, new copies and players who look for another room, on a busy machine. */
const READY_WITHIN_MS = 90_000;
/** As long as the SDK seeks the way back, and then a room. */
const BACK_WITHIN_MS = 50_000;

/** Strikes where most players are, once all is ready. Whoever is not back in time is one of the figures. */
export async function loseRegion(on: LossWorld, blow: Blow): Promise<Lost> {
  const { world, crowd } = on;
  await whenReady({ ...on, withinMs: READY_WITHIN_MS });
  const book = new LegBook();
  const regionId = fullestRegion(await crowd.standing());
  const struck = (await crowd.take()).filter((leg) => isIn(leg, regionId));
  const atMs = Date.now();
  const undo = await blow(world, regionId);
  try {
    await allElsewhere(on, regionId);
  } finally {
    await undo();
  }
  book.add(struck);
  book.add(await crowd.take());
  return {
    rooms: new Set(struck.map(({ roomId }) => roomId)).size,
    resumptions: resumptionsOf(struck, book.all, atMs),
  };
}

async function allElsewhere({ crowd, signal }: LossWorld, regionId: RegionId): Promise<void> {
  const wrong = async () => {
    const standing = await crowd.standing();
    const there = playersByRegion(standing).get(regionId) ?? 0;
    const back = countOf(standing) - there;
    return back === standing.players ? undefined : `${back} of ${standing.players} are back`;
  };
  try {
    await waitFor({ withinMs: BACK_WITHIN_MS, signal, wrong });
  } catch (error) {
    // They are counted as what they are.
    if (signal.aborted) throw error;
  }
}

function isIn({ regionId, end, first }: Leg, where: string): boolean {
  return regionId === where && end === undefined && first !== undefined;
}
