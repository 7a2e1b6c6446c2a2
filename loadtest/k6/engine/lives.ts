/** What most players of most scenarios do, with the checks that belong to it. */
import { check } from "k6";
import type { Player } from "../player/player.ts";

/** @returns whether the player is in a room */
export async function enter(player: Player): Promise<boolean> {
  const isIn = (await player.logIn()) && (await player.join());
  check(isIn, { "logs in, joins, and sees its own input": (is) => is });
  return isIn;
}

/** Leaves, whatever was before, and says whether all was right. */
export async function leave(player: Player): Promise<void> {
  await player.leave();
  check(player, { "saw nothing wrong": ({ sawNoWrong }) => sawNoWrong });
}

/** A whole visit: until the moment, or for so long. */
export async function visit(
  player: Player,
  stay: { untilMs?: number; ms?: number },
): Promise<void> {
  if (await enter(player)) {
    const isStill = await player.play(stay.untilMs ?? Date.now() + (stay.ms ?? 0));
    check(isStill, { "plays to the end": (is) => is });
  }
  await leave(player);
}
