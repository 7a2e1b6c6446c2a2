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

export interface FollowedCrowdOptions extends Comers {
  /** The core's. */
  readonly url: string;
  /** The top folder of the release whose client they have; this tree by default. */
  readonly releaseDir?: string;
}

/** Those who come. */
export interface Comers {
  readonly players: number;
  readonly arrivePerSecond: number;
  /** Whom they insist on at first, in turn; none: nobody. */
  readonly regions: readonly string[];
  readonly seed: number;
}

export class FollowedCrowd {
  readonly #children: readonly Child[];
  readonly #url: string;
  /** All that were told so far. */
  readonly coins: ToldCoin[] = [];

  private constructor(children: readonly Child[], url: string) {
    this.#children = children;
    this.#url = url;
  }

  /** Resolves when all have set out; see `standing` for who has arrived. */
  static async start(options: FollowedCrowdOptions): Promise<FollowedCrowd> {
    const { url, releaseDir = ROOT, ...comers } = options;
    const count = Math.ceil(comers.players / PLAYERS_PER_PROCESS);
    const children: Child[] = [];
    const crowd = new FollowedCrowd(children, url);
    try {
      for (let index = 0; index < count; index += 1) {
        const [child] = await Child.start<string>({ file: join(releaseDir, FILE) });
        children.push(child);
      }
      await crowd.more(comers);
      return crowd;
    } catch (error) {
      await crowd.#end();
      throw error;
    }
  }

  /** Others come as well, in the same processes. Resolves when they have set out. */
  async more({ players, arrivePerSecond, regions, seed }: Comers): Promise<void> {
    const count = this.#children.length;
    await Promise.all(
      this.#children.map((child, index) => {
        const arrival: Arrival = {
          ask: "come",
          url: this.#url,
          players: Math.floor((players + index) / count),
          arrivePerSecond: arrivePerSecond / count,
          regions,
          seed: seed + index,
        };
        return child.ask<Standing>(arrival);
      }),
    );
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
