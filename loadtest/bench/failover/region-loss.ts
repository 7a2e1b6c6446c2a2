/** One loss of a region: its players are struck, found again elsewhere, and the region comes back. */
import type { LocalWorld } from "../../../infra/local/world.ts";
import { blackHole, killRegion } from "../../followed/blows.ts";
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

export type Loss = "kill" | "black hole";

export interface LossWorld {
  readonly world: LocalWorld;
  readonly crowd: FollowedCrowd;
  readonly signal: AbortSignal;
}

/** Restarts, new copies and players who look for another room, on a busy machine. */
const READY_WITHIN_MS = 90_000;
/** As long as the SDK seeks the way back, and then a room. */
const BACK_WITHIN_MS = 50_000;

/** Strikes where most players are. @returns what became of those who were there */
export async function loseRegion(on: LossWorld, loss: Loss): Promise<Resumption[]> {
  const { world, crowd, signal } = on;
  await whenReady({ ...on, withinMs: READY_WITHIN_MS });
  const book = new LegBook();
  const regionId = fullestRegion(await crowd.standing());
  const struck = (await crowd.take()).filter((leg) => isIn(leg, regionId));
  const atMs = Date.now();
  const undo = await (loss === "kill" ? killRegion : blackHole)(world, regionId);
  try {
    await waitFor({
      withinMs: BACK_WITHIN_MS,
      signal,
      async wrong() {
        const standing = await crowd.standing();
        const there = playersByRegion(standing).get(regionId) ?? 0;
        const back = countOf(standing) - there;
        return back === standing.players ? undefined : `${back} of ${standing.players} are back`;
      },
    });
  } catch (error) {
    signal.throwIfAborted();
    // Whoever is not back is one of the figures.
    if (!(error instanceof Error)) throw error;
  } finally {
    await undo();
  }
  book.add(struck);
  book.add(await crowd.take());
  return resumptionsOf(struck, book.all, atMs);
}

function isIn({ regionId, end, first }: Leg, where: string): boolean {
  return regionId === where && end === undefined && first !== undefined;
}
