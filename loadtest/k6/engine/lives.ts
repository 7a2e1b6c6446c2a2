/** What most players of most scenarios do, with the checks that belong to it. */
import { check } from "k6";
import type { Player } from "../player/player.ts";

/** To come back after a region was lost; a black hole is found out within 6 s. */
const BACK_MS_MAX = 20_000;

/** @returns whether the player is in a room */
export async function enter(player: Player, withinMs?: number): Promise<boolean> {
  const isIn = (await player.logIn()) && (await player.join(withinMs)) === "in";
  check(isIn, { "logs in, joins, and sees its own input": (is) => is });
  return isIn;
}

/** Leaves, whatever was before, and says whether all was right. */
export async function leave(player: Player): Promise<void> {
  await player.leave();
  check(player, { "saw nothing wrong": ({ sawNoWrong }) => sawNoWrong });
}

export interface Visit {
  /** Begun once the player is in: it leaves when that is settled. */
  readonly stay: () => Promise<void>;
  /** How long it waits in a queue, ms. */
  readonly waitMs?: number;
}

/** Comes, plays, and leaves. Where its connection breaks on the way it has to be back by the end. */
export async function visit(player: Player, { stay, waitMs }: Visit): Promise<void> {
  if (await enter(player, waitMs)) {
    const isThere = (await player.play(stay())) && (await player.isBack(BACK_MS_MAX));
    check(isThere, { "plays to the end": (is) => is });
  }
  await leave(player);
}
