/**
 * The rules of gems. One that is picked up is gone from the ground for everybody at once, and its picker's for
 * good when the core says so.
 *
 * Until then it stays in the state under its taker's session. So a room that goes on elsewhere meanwhile
 * knows whom to ask for, and no gem gets lost on the way. It keeps its entity id when it falls back: the id
 * names the item, and the core makes no item twice.
 */

import { isWithin } from "./arena-map.ts";
import { COIN_REACH } from "./arena-rules.ts";
import type { ArenaState } from "./arena-state.ts";

export interface TakenGem {
  readonly gemId: string;
  readonly taker: string;
}

/** Who stands at a gem picks it up. */
export function takeGems(state: ArenaState): void {
  if (state.phase !== "play") return;
  for (const gem of state.gems.values()) {
    if (gem.taker !== "") continue;
    for (const [sessionId, player] of state.players.entries()) {
      if (!player.connected || !isWithin(player, gem, COIN_REACH)) continue;
      gem.taker = sessionId;
      break;
    }
  }
}

/** Those that were picked up and are nobody's for good yet. */
export function takenGems(state: ArenaState): TakenGem[] {
  return [...state.gems.entries()].flatMap(([gemId, { taker }]) => {
    return taker === "" ? [] : [{ gemId, taker }];
  });
}

/** Nothing came of it: it lies again where it lay. */
export function letGemFall(state: ArenaState, gemId: string): void {
  const gem = state.gems.get(gemId);
  if (gem) gem.taker = "";
}

/** It is somebody's, here or in what this room has forgotten. */
export function removeGem(state: ArenaState, gemId: string): void {
  state.gems.delete(gemId);
}
