/** Which nodes a join asks, in which order: the room's own, or the best of the ranking. */
import type { z } from "zod";
import { MeridianError } from "../../shared/errors.ts";
import type { GameName } from "../../shared/ids.ts";
import type { JoinRequest, RankedRegion } from "../../shared/protocol/join.ts";
import { whyNowhere } from "../gslb/nowhere.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import type { RegionFinder, Seeker } from "./region-finder.ts";
import type { RoomDirectory } from "./room-directory.ts";
import { seatCandidates } from "./seat-search.ts";

/** A join as parsed. With `joinById` the room says which game it is. */
export type Join = Omit<z.output<typeof JoinRequest>, "game"> & {
  readonly game: GameName | undefined;
};

export interface SeatFinderDeps {
  readonly registry: Registry;
  readonly directory: RoomDirectory;
  readonly regions: RegionFinder;
}

export interface NodesFound {
  /** In the order in which they are asked. */
  readonly nodes: readonly NodeRecord[];
  readonly game: GameName;
  /** For the client's next choices. */
  readonly ranking: readonly RankedRegion[];
}

export class SeatFinder {
  readonly #deps: SeatFinderDeps;

  constructor(deps: SeatFinderDeps) {
    this.#deps = deps;
  }

  /** @throws {MeridianError} why nobody can be asked */
  async nodesFor(join: Join, seeker: Seeker): Promise<NodesFound> {
    const { registry, directory, regions: finder } = this.#deps;
    if (join.region && !registry.region(join.region)) throw new MeridianError("unknown_region");
    if (join.mode === "joinById" && join.roomId) {
      const place = await directory.find(join.roomId);
      if (!place) throw new MeridianError("room_not_found");
      const node = requireAlive(registry.node(place.nodeId));
      return { nodes: [node], game: place.game, ranking: finder.rank(seeker.address, join) };
    }
    const { game, mode, protocol, build } = join;
    if (game === undefined) throw new MeridianError("unknown_game");
    const { ranking, near } = await finder.find(join, seeker);
    const regions = registry.regions();
    const wish = { game, mode, protocol, build, near };
    const nodes = seatCandidates(ranking, regions, wish);
    if (nodes.length > 0) return { nodes, game, ranking };
    throw whyNowhere(regions, { ...wish, only: join.region });
  }
}

/** A room is where its node is: when that is gone, or its region is fenced, so is the room. */
export function requireAlive(found: ReturnType<Registry["node"]>): NodeRecord {
  if (!found?.node.alive || found.region.wanted === "fenced") {
    throw new MeridianError("room_not_found");
  }
  return found.node;
}
