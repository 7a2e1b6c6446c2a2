/** Which nodes a join asks, in which order: the room's own, or the best of the ranking. */
import type { z } from "zod";
import { MeridianError } from "../../shared/errors.ts";
import type { GameName } from "../../shared/ids.ts";
import type { JoinRequest, RankedRegion } from "../../shared/protocol/join.ts";
import type { GeoLocator } from "../gslb/geo-locator.ts";
import { rankRegions } from "../gslb/ranking.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import type { RoomDirectory } from "./room-directory.ts";
import { seatCandidates, whyNowhere } from "./seat-search.ts";

/** A join as parsed. With `joinById` the room says which game it is. */
export type Join = Omit<z.output<typeof JoinRequest>, "game"> & {
  readonly game: GameName | undefined;
};

export interface SeatFinderDeps {
  readonly registry: Registry;
  readonly directory: RoomDirectory;
  readonly locator: GeoLocator;
}

export interface Candidates {
  /** In the order in which they are asked. */
  readonly nodes: readonly NodeRecord[];
  readonly game: GameName;
}

export class SeatFinder {
  readonly #deps: SeatFinderDeps;

  constructor(deps: SeatFinderDeps) {
    this.#deps = deps;
  }

  /**
   * @param address the player's, for geo-IP
   * @throws {MeridianError} why nobody can be asked
   */
  async candidates(join: Join, address: string): Promise<Candidates> {
    const { registry, directory } = this.#deps;
    if (join.region && !registry.region(join.region)) throw new MeridianError("unknown_region");
    if (join.mode === "joinById" && join.roomId) {
      const place = await directory.find(join.roomId);
      if (!place) throw new MeridianError("room_not_found");
      const node = requireAlive(registry.node(place.nodeId));
      return { nodes: [node], game: place.game };
    }
    const { game } = join;
    if (game === undefined) throw new MeridianError("unknown_game");
    const regions = registry.regions();
    const nodes = seatCandidates(this.rank(address, join), regions, game, join.mode);
    if (nodes.length > 0) return { nodes, game };
    const asked = join.region ? regions.filter(({ spec }) => spec.id === join.region) : regions;
    throw whyNowhere(asked, game);
  }

  rank(address: string, join?: Join): RankedRegion[] {
    return rankRegions({
      regions: this.#deps.registry.regions(),
      place: this.#deps.locator.locate(address),
      roundTripsMs: join?.roundTripsMs,
      game: join?.game,
      only: join?.region,
    });
  }
}

/** A room is where its node is: when that is gone, or its region is fenced, so is the room. */
export function requireAlive(found: ReturnType<Registry["node"]>): NodeRecord {
  if (!found?.node.alive || found.region.wanted === "fenced") {
    throw new MeridianError("room_not_found");
  }
  return found.node;
}
