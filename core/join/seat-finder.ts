/** Where a join may lead: the room's own region, or the best of the ranking; and which node there is asked. */
import type { z } from "zod";
import { MeridianError } from "../../shared/errors.ts";
import type { GameName, RegionId } from "../../shared/ids.ts";
import type { JoinRequest, RankedRegion } from "../../shared/protocol/join.ts";
import { whyNowhere } from "../gslb/nowhere.ts";
import { chooseNode, type NodeWish } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import type { Choice, Found, RegionFinder, Seeker } from "./region-finder.ts";
import type { RoomDirectory } from "./room-directory.ts";

/** A join as parsed. With `joinById` the room says which game it is. */
export type Join = Omit<z.output<typeof JoinRequest>, "game"> & {
  readonly game: GameName | undefined;
};

export interface SeatFinderDeps {
  readonly registry: Registry;
  readonly directory: RoomDirectory;
  readonly regions: RegionFinder;
}

export interface Places {
  readonly game: GameName;
  /** Where there is a seat or a queue for one, the best first; at least one. */
  readonly choices: readonly Choice[];
  /** For the client's next choices. */
  readonly ranking: readonly RankedRegion[];
  /** The node of that region that is to be asked; undefined when none has a seat. */
  nodeIn(regionId: RegionId): NodeRecord | undefined;
}

export class SeatFinder {
  readonly #deps: SeatFinderDeps;

  constructor(deps: SeatFinderDeps) {
    this.#deps = deps;
  }

  /** @throws {MeridianError} why there is none */
  async placesFor(join: Join, seeker: Seeker): Promise<Places> {
    return this.#placesOf(join, seeker, (found) => found.find(join, seeker));
  }

  /** As `placesFor`, without asking the database: for those who are going to wait. */
  async placesQuickly(join: Join, seeker: Seeker): Promise<Places> {
    return this.#placesOf(join, seeker, (found) => found.findQuickly(join, seeker.address));
  }

  async #placesOf(
    join: Join,
    seeker: Seeker,
    find: (regions: RegionFinder) => Found | Promise<Found>,
  ): Promise<Places> {
    const { registry, regions: finder } = this.#deps;
    if (join.region && !registry.region(join.region)) throw new MeridianError("unknown_region");
    if (join.mode === "joinById") return this.#roomOf(join, seeker);
    const { game, mode, protocol, build } = join;
    if (game === undefined) throw new MeridianError("unknown_game");
    const { ranking, choices, near } = await find(finder);
    const wish: NodeWish = { game, mode, protocol, build, near };
    if (choices.length === 0) {
      throw whyNowhere(registry.regions(), { ...wish, only: join.region, avoid: join.avoid });
    }
    const nodeIn = (regionId: RegionId) => {
      const region = registry.region(regionId);
      return region && chooseNode(region, wish);
    };
    return { game, choices, ranking, nodeIn };
  }

  /** The room is where it is. */
  async #roomOf(join: Join, { address }: Seeker): Promise<Places> {
    const { registry, directory, regions: finder } = this.#deps;
    const place = join.roomId && (await directory.find(join.roomId));
    if (!place) throw new MeridianError("room_not_found");
    const { regionId } = requireAlive(registry.node(place.nodeId)).heartbeat;
    return {
      game: place.game,
      choices: [{ regionId, roundTripMs: 0 }],
      ranking: finder.rank(address, join),
      nodeIn: () => requireAlive(registry.node(place.nodeId)),
    };
  }
}

/** A room is where its node is: when that is gone, or its region is fenced, so is the room. */
export function requireAlive(found: ReturnType<Registry["node"]>): NodeRecord {
  if (found && !found.node.alive && found.node.health === "isolated") {
    throw new MeridianError("unavailable", { message: "The core does not reach that region." });
  }
  if (!found?.node.alive || found.region.wanted === "fenced") {
    throw new MeridianError("room_not_found");
  }
  return found.node;
}
