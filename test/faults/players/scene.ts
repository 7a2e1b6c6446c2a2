/** A world with followed players in it, where one blow after another is struck and each one's effects are noted. */
import type { ProcessHandle } from "../../../infra/local/processes.ts";
import type { LocalWorld } from "../../../infra/local/world.ts";
import { ours, type Undo } from "../../../loadtest/followed/blows.ts";
import { countOf, type FollowedCrowd } from "../../../loadtest/followed/followed-crowd.ts";
import {
  fullestRegion,
  playersByRegion,
  regionOfNode,
  waitFor,
  whenReady,
} from "../../../loadtest/followed/followed-world.ts";
import type { Leg } from "../../../loadtest/followed/leg.ts";
import { LegBook } from "../../../loadtest/followed/leg-book.ts";
import { type Resumption, resumptionsOf } from "../../../loadtest/followed/resumptions.ts";
import { JOIN_BUDGET_MS, RETURN_BUDGET_MS } from "../../../shared/client/connection-moves.ts";
import type { RegionId } from "../../../shared/ids.ts";

const READY_WITHIN_MS = 90_000;
/** As long as the SDK seeks the way back, and then a room. */
const BACK_WITHIN_MS = RETURN_BUDGET_MS + JOIN_BUDGET_MS;
/** All play for so long: whoever has not noticed yet still counts as playing. */
const SETTLED_MS = 1_500;

export interface BlowSpec {
  /** Where it strikes. */
  readonly regionId: RegionId;
  /** Whether nobody can go on there. */
  readonly elsewhere: boolean;
  /** Whether the time from the blow on is what its players wait; so it is where nobody can go on. */
  readonly timed?: boolean;
  readonly act: () => Promise<Undo>;
}

/** What a blow did. */
export interface BlowOutcome {
  /** Of those whose connection it broke; of all who were there, where nobody can go on. */
  readonly struck: readonly Resumption[];
  /** Players of other regions whose connection broke. */
  readonly disturbed: number;
  /** Whether the time from the blow on is what the players waited. */
  readonly timed: boolean;
}

export interface SceneOptions {
  readonly world: LocalWorld;
  readonly crowd: FollowedCrowd;
  /** Nodes of regions beside their first. */
  readonly siblings: ReadonlyMap<RegionId, readonly ProcessHandle[]>;
}

export class Scene {
  readonly world: LocalWorld;
  readonly crowd: FollowedCrowd;
  readonly #siblings: SceneOptions["siblings"];
  #book = new LegBook();
  #outcomes: BlowOutcome[] = [];

  constructor({ world, crowd, siblings }: SceneOptions) {
    this.world = world;
    this.crowd = crowd;
    this.#siblings = siblings;
  }

  /** Everybody plays, and all is protected; what was noted before is forgotten. */
  async begin(): Promise<void> {
    const siblings = [...this.#siblings.values()].flat();
    await whenReady({ ...this, siblings, withinMs: READY_WITHIN_MS });
    this.#book = new LegBook();
    this.#outcomes = [];
    this.#book.add(await this.crowd.take());
  }

  /** All that was seen since the beginning. */
  async legs(): Promise<readonly Leg[]> {
    this.#book.add(await this.crowd.take());
    return this.#book.all;
  }

  get outcomes(): readonly BlowOutcome[] {
    return this.#outcomes;
  }

  /** A region where somebody plays: that one, or the fullest. */
  async target(regionId: RegionId): Promise<RegionId> {
    const standing = await this.crowd.standing();
    return playersByRegion(standing).has(regionId) ? regionId : fullestRegion(standing);
  }

  nodesOf(regionId: RegionId): ProcessHandle[] {
    const first = ours(this.world.regions.get(regionId), `region ${regionId}`);
    return [first, ...(this.#siblings.get(regionId) ?? [])];
  }

  /** Strikes, and waits until everybody plays again, or should. */
  async strike({ regionId, elsewhere, timed = elsewhere, act }: BlowSpec): Promise<Undo> {
    const before = (await this.legs()).filter(isPresent);
    const atMs = Date.now();
    const undo = await act();
    await this.#everybodyBack(elsewhere ? regionId : undefined);
    const legs = await this.legs();
    const found = new Map(resumptionsOf(before, legs, atMs).map((one) => [one.player, one]));
    const broke = ({ player }: Leg) => found.get(player)?.kind !== undefined;
    const there = before.filter((leg) => leg.regionId === regionId);
    const struck = elsewhere ? there : there.filter(broke);
    const others = before.filter((leg) => leg.regionId !== regionId);
    this.#outcomes.push({
      struck: struck.flatMap(({ player }) => found.get(player) ?? []),
      disturbed: others.filter(broke).length,
      timed,
    });
    return undo;
  }

  async #everybodyBack(except: RegionId | undefined): Promise<void> {
    const wrong = async () => {
      const standing = await this.crowd.standing();
      const left = Object.entries(standing.byNode)
        .filter(([nodeId]) => regionOfNode(nodeId) === except)
        .reduce((sum, [, players]) => sum + players, 0);
      const back = countOf(standing) - left;
      return back === standing.players ? undefined : `${back} of ${standing.players} play`;
    };
    // Whoever is not back is counted as that.
    await waitFor({ wrong, withinMs: BACK_WITHIN_MS, forMs: SETTLED_MS }).catch(() => {});
  }
}

function isPresent({ end, first }: Leg): boolean {
  return end === undefined && first !== undefined;
}
