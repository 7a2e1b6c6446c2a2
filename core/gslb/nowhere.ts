/** What to tell a player whom no region can take. Pure. */
import { MeridianError } from "../../shared/errors.ts";
import type { GameName, RegionId } from "../../shared/ids.ts";
import {
  isHealthy,
  liveNodes,
  runsGame,
  suits,
  takesPlayers,
  type Wish,
  wantedOf,
} from "../regions/region-view.ts";
import type { RegionRecord } from "../regions/registry-step.ts";
import { isGameKnown } from "./candidates.ts";
import { isWanted } from "./ranking.ts";

/** Games that a refusal names. */
const GAMES_SHOWN_MAX = 16;
const FULL_RETRY_AFTER_MS = 5_000;
const NO_REGION_RETRY_AFTER_MS = 2_000;

export interface NowhereWish extends Wish {
  /** The only region that the player wants. */
  readonly only?: RegionId | undefined;
  readonly avoid?: readonly RegionId[] | undefined;
}

/** @param regions all of them; none is eligible */
export function whyNowhere(regions: readonly RegionRecord[], wish: NowhereWish): MeridianError {
  const { game } = wish;
  const live = regions.some((region) => liveNodes(region).length > 0);
  if (game !== undefined && live && !isGameKnown(regions, game)) return unknownGame(regions, game);
  const open = regions
    .filter((region) => isWanted(region.spec.id, wish))
    .filter((region) => wantedOf(region) === "active")
    .flatMap(liveNodes)
    .filter((node) => isHealthy(node) && runsGame(node, game));
  if (open.length === 0) {
    return new MeridianError("no_region", { retryAfterMs: NO_REGION_RETRY_AFTER_MS });
  }
  const suited = open.filter((node) => suits(node, wish));
  if (suited.length === 0) return new MeridianError("update_required");
  if (!suited.some(takesPlayers)) {
    return new MeridianError("overloaded", { retryAfterMs: FULL_RETRY_AFTER_MS });
  }
  return new MeridianError("region_full", { retryAfterMs: FULL_RETRY_AFTER_MS });
}

/** Names what there is: a wrong name is usually a nearly right one. */
function unknownGame(regions: readonly RegionRecord[], game: GameName): MeridianError {
  const games = new Set(
    regions.flatMap((region) => liveNodes(region).flatMap((node) => node.heartbeat.games)),
  );
  const known = [...games].sort().slice(0, GAMES_SHOWN_MAX).join(", ");
  const message =
    `No region runs a game "${game}" (they run: ${known || "none"}): correct the name, or ` +
    "add the game to region/games/games.ts.";
  return new MeridianError("unknown_game", { message });
}
