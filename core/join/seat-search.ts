/**
 * Where to ask for a seat, whether to ask elsewhere after a refusal, and what to tell a player when
 * nobody can be asked. Pure.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { GameName } from "../../shared/ids.ts";
import type { JoinMode, RankedRegion } from "../../shared/protocol/join.ts";
import { isGameKnown } from "../gslb/candidates.ts";
import {
  chooseNode,
  liveNodes,
  type NodeWish,
  runsGame,
  suits,
  takesPlayers,
  wantedOf,
} from "../regions/region-view.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";

/** Regions that one join asks at most. */
export const REGIONS_TRIED_MAX = 3;
/** Games that a refusal names. */
const GAMES_SHOWN_MAX = 16;
const FULL_RETRY_AFTER_MS = 5_000;
const NO_REGION_RETRY_AFTER_MS = 2_000;

/** The best node of each of the best regions, in order. */
export function seatCandidates(
  ranking: readonly RankedRegion[],
  regions: readonly RegionRecord[],
  wish: NodeWish,
): NodeRecord[] {
  const byId = new Map(regions.map((region) => [region.spec.id, region]));
  const nodes: NodeRecord[] = [];
  for (const { regionId, eligible } of ranking) {
    if (!eligible || nodes.length === REGIONS_TRIED_MAX) break;
    const region = byId.get(regionId);
    const node = region && chooseNode(region, wish);
    if (node) nodes.push(node);
  }
  return nodes;
}

/** Whether another region may well give what this one refused. */
export function triesNext(failure: MeridianError, mode: JoinMode): boolean {
  if (failure.retryable || failure.kind === "unknown_game") return true;
  return mode === "join" && failure.kind === "room_not_found";
}

/** What to say when no region is eligible. */
export function whyNowhere(
  regions: readonly RegionRecord[],
  wish: NodeWish & { readonly game: GameName },
): MeridianError {
  const { game } = wish;
  const live = regions.some((region) => liveNodes(region).length > 0);
  if (live && !isGameKnown(regions, game)) return unknownGame(regions, game);
  const open = regions
    .filter((region) => wantedOf(region) === "active")
    .flatMap(liveNodes)
    .filter((node) => takesPlayers(node) && runsGame(node, game));
  if (open.length === 0) {
    return new MeridianError("no_region", { retryAfterMs: NO_REGION_RETRY_AFTER_MS });
  }
  if (!open.some((node) => suits(node, wish))) return new MeridianError("update_required");
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
