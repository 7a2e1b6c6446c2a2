/** Followed players in processes of their own, as whoever strikes at their world sees them. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "../bench/child.ts";
import type { ToldCoin } from "./followed-player.ts";
import type { Leg } from "./leg.ts";
import type { Arrival, PlayersQuestion, Standing, Taken } from "./players-process.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FILE = "loadtest/followed/players-process.ts";
/** What one process decodes in time on a machine that does everything else, too. */
const PLAYERS_PER_PROCESS = 250;

export interface FollowedCrowdOptions {
  /** The core's. */
  readonly url: string;
  readonly players: number;
  readonly arrivePerSecond: number;
  /** Whom they insist on at first, in turn; none: nobody. */
  readonly regions: readonly string[];
  readonly seed: number;
  /** The top folder of the release whose client they have; this tree by default. */
  readonly releaseDir?: string;
}

export class FollowedCrowd {
  readonly #children: readonly Child[];
  /** All that were told so far. */
  readonly coins: ToldCoin[] = [];

  private constructor(children: readonly Child[]) {
    this.#children = children;
  }

  /** Resolves when all have set out; see `standing` for who has arrived. */
  static async start(options: FollowedCrowdOptions): Promise<FollowedCrowd> {
    const { players, arrivePerSecond, seed, releaseDir = ROOT, ...rest } = options;
    const count = Math.ceil(players / PLAYERS_PER_PROCESS);
    const children: Child[] = [];
    const crowd = new FollowedCrowd(children);
    try {
      for (let index = 0; index < count; index += 1) {
        const [child] = await Child.start<string>({ file: join(releaseDir, FILE) });
        children.push(child);
      }
      await Promise.all(
        children.map((child, index) => {
          const share = Math.floor((players + index) / count);
          const pace = arrivePerSecond / count;
          const arrival: Arrival = {
            ...rest,
            ask: "come",
            players: share,
            arrivePerSecond: pace,
            seed: seed + index,
          };
          return child.ask<Standing>(arrival);
        }),
      );
      return crowd;
    } catch (error) {
      await crowd.#end();
      throw error;
    }
  }

  /** Who plays where, with inputs that are heard. */
  async standing(): Promise<Standing> {
    const all = await this.#ask<Standing>({ ask: "standing" });
    const byNode: Record<string, number> = {};
    for (const [nodeId, players] of all.flatMap((one) => Object.entries(one.byNode))) {
      byNode[nodeId] = (byNode[nodeId] ?? 0) + players;
    }
    return { players: all.reduce((sum, { players }) => sum + players, 0), byNode };
  }

  /** Legs that have ended since it was asked before, and each player's present one. */
  async take(): Promise<Leg[]> {
    return this.#keep(await this.#ask<Taken>({ ask: "take" }));
  }

  /** All leave. @returns as `take`, the last ones */
  async stop(): Promise<Leg[]> {
    try {
      return this.#keep(await this.#ask<Taken>({ ask: "leave" }));
    } finally {
      await this.#end();
    }
  }

  #keep(taken: readonly Taken[]): Leg[] {
    this.coins.push(...taken.flatMap(({ coins }) => coins));
    return taken.flatMap(({ legs }) => legs);
  }

  async #end(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.stop()));
  }

  #ask<Answer>(question: PlayersQuestion): Promise<Answer[]> {
    return Promise.all(this.#children.map((child) => child.ask<Answer>(question)));
  }
}

/** How many of them play. */
export function countOf({ byNode }: Standing): number {
  return Object.values(byNode).reduce((sum, players) => sum + players, 0);
}
