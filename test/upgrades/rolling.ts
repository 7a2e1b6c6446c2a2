/**
 * A rolling upgrade under players: a world of the previous release (N−1) becomes one of this tree (N), part by part,
 * while followed players play and newcomers join all the time.
 *
 *     schema → cores → each region's node → (clients: those of N−1 play on, newcomers have N's)
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Release } from "../../infra/local/processes.ts";
import type { LocalWorld } from "../../infra/local/world.ts";
import { makeReleaseTree, previousRelease, ROOT } from "../../infra/upgrade/release-tree.ts";
import { countOf, FollowedCrowd } from "../../loadtest/followed/followed-crowd.ts";
import { startFollowedWorld, waitFor, whenReady } from "../../loadtest/followed/followed-world.ts";
import { LegBook } from "../../loadtest/followed/leg-book.ts";
import { brokenPromises } from "../../loadtest/followed/passages.ts";
import { auditCoins } from "../../loadtest/followed/told-coins.ts";
import type { RetryBudget } from "../../shared/client/backoff.ts";
import { RETURN_BUDGET_MS } from "../../shared/client/connection-moves.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { Newcomers } from "./newcomers.ts";
import { judgeMoves } from "./planned-moves.ts";
import { Releases, UpgradedWorld, type Way } from "./upgraded-world.ts";

export interface RollingUpgradeOptions {
  /** Who play all the while, with the client of N−1; 40 by default. */
  readonly players?: number;
  /** 2 by default. */
  readonly regions?: number;
  /** 1 by default. More need HAProxy, and a previous release that knows of a leader. */
  readonly cores?: number;
  /** The commit to upgrade from; that of `infra/upgrade/previous-release` by default. */
  readonly from?: string;
  /** Who come, join and leave all the while; 2 by default. */
  readonly joinsPerSecond?: number;
  /** For how long they try to log in; as long as the client does by default. */
  readonly logInBudget?: RetryBudget;
  /** How nodes are replaced, by region in turn; all are evacuated by default. */
  readonly ways?: readonly Way[];
  /** A player of a moved room is back within it, ms; longer is a disconnect. As long as seats are kept by default. */
  readonly resumeMs?: number;
  readonly seed?: number;
  /** Told one line for each step. */
  readonly say?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface RollingUpgradeResult {
  /** Players followed, and those who joined meanwhile. */
  readonly players: number;
  readonly joined: number;
  /** Connections that ended otherwise than by a planned move that was followed in time. */
  readonly disconnects: number;
  /** Joins that the client gave up. */
  readonly failedJoins: number;
  /** Operations of class A that a player was told are done, and that the database does not have. */
  readonly lost: number;
  readonly doubled: number;
  /** Of each followed player at each planned move: from the last state at the old node to the first input heard. */
  readonly pausesMs: readonly number[];
  /** Everything that was not as promised, in words; empty when all is well. */
  readonly wrong: readonly string[];
  /** Builds of the nodes that live at the end. */
  readonly builds: readonly string[];
}

/** Only the upgrade itself ends and starts parts. */
const NEXT_BUILD = "next";
const PREVIOUS_BUILD = "previous";
/** Releases that have it may have several cores. */
const LEADERSHIP = "core/leadership";
const PLAYERS = 40;
const REGIONS = 2;
const JOINS_PER_SECOND = 2;
const ARRIVE_PER_SECOND = 40;
const READY_WITHIN_MS = 60_000;
/** Between two steps, so that what a step breaks late is seen before the next one. */
const SETTLE_MS = 1_000;
/** Of a planned move no tick is lost; one owner may be seen a moment after the next. */
const BOUNDS = { rolledBackMs: 0, twoOwnersMs: 500 } as const;
const WRONG_MAX = 20;

/**
 * Upgrades a world of its own from N−1 to N under players, and says what they went through. Takes 15 s and more.
 *
 * @throws {ReleaseTreeError} when N−1 can't be had in this clone: see `whyNoTree`
 * @throws Error when a step can't be made at all, such as rooms that can't be moved; with the world stopped
 */
export async function rollingUpgrade(
  options: RollingUpgradeOptions = {},
): Promise<RollingUpgradeResult> {
  const { regions = REGIONS, cores = 1, from = previousRelease(), signal } = options;
  const tree = makeReleaseTree(from);
  const dir = mkdtempSync(join(tmpdir(), "meridian-upgrade-"));
  try {
    if (cores > 1 && !existsSync(join(tree.dir, LEADERSHIP))) {
      throw new Error(`release ${from} has no leader: its world has one core`);
    }
    const previous: Release = { dir: tree.dir, build: PREVIOUS_BUILD };
    const releases = new Releases(previous);
    const { releaseOf } = releases;
    const started = { dir, regions, cores, releaseOf, ...(signal && { signal }) };
    const world = await startFollowedWorld(started);
    try {
      return await underPlayers(options, world, releases, previous);
    } finally {
      await world.stop();
    }
  } finally {
    tree.remove();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function underPlayers(
  options: RollingUpgradeOptions,
  world: LocalWorld,
  releases: Releases,
  previous: Release,
): Promise<RollingUpgradeResult> {
  const { players = PLAYERS, joinsPerSecond = JOINS_PER_SECOND, seed = 1 } = options;
  const { logInBudget, signal } = options;
  const { url } = world.core;
  const crowd = await FollowedCrowd.start({
    url,
    players,
    arrivePerSecond: ARRIVE_PER_SECOND,
    regions: [...world.regions.keys()],
    seed,
    releaseDir: previous.dir,
  });
  const book = new LegBook();
  const upgraded = new UpgradedWorld(world, releases, signal);
  const newcomers = new Newcomers({
    url,
    game: "arena",
    perSecond: joinsPerSecond,
    ...(logInBudget && { logInBudget }),
    clock: systemClock,
    random: Math.random,
  });
  const end = new AbortController();
  let coming: Promise<void> | undefined;
  try {
    await whenReady({ world, crowd, withinMs: READY_WITHIN_MS, ...(signal && { signal }) });
    coming = newcomers.run(end.signal);
    const look = async () => {
      await allBack(crowd, signal);
      book.add(await crowd.take());
    };
    await upgradeAll(options, world, upgraded, look);
  } finally {
    end.abort();
    await coming;
    book.add(await crowd.stop());
  }
  const found = await auditCoins(crowd.coins, world.databaseUrl);
  const { resumeMs = RETURN_BUDGET_MS } = options;
  const { disconnects, pausesMs } = judgeMoves(book.all, upgraded.moves, { resumeMs });
  const { failures } = newcomers;
  const value = [...found.lost, ...found.doubled, ...found.unsound];
  const wrong = [...disconnects, ...failures, ...value, ...brokenPromises(book.all, BOUNDS)];
  return {
    players,
    joined: newcomers.joined,
    disconnects: disconnects.length,
    failedJoins: newcomers.failed,
    lost: found.lost.length,
    doubled: found.doubled.length,
    pausesMs,
    wrong: wrong.slice(0, WRONG_MAX),
    builds: [...(await upgraded.builds())],
  };
}

/** Or not: whoever is still away then is one of the disconnects. */
async function allBack(crowd: FollowedCrowd, signal?: AbortSignal): Promise<void> {
  const wrong = async () => {
    const standing = await crowd.standing();
    return countOf(standing) === standing.players ? undefined : "some are away";
  };
  try {
    await waitFor({ wrong, withinMs: RETURN_BUDGET_MS, ...(signal && { signal }) });
  } catch (error) {
    if (signal?.aborted) throw error;
  }
}

async function upgradeAll(
  { ways = ["evacuate"], say = () => {}, signal }: RollingUpgradeOptions,
  world: LocalWorld,
  upgraded: UpgradedWorld,
  look: () => Promise<void>,
): Promise<void> {
  const next: Release = { dir: ROOT, build: NEXT_BUILD };
  const step = async (name: string, work: () => Promise<void>) => {
    const beganMs = systemClock.monotonicMs();
    await work();
    const tookMs = Math.round(systemClock.monotonicMs() - beganMs);
    say(`${name}: ${tookMs} ms, until ${new Date().toISOString()}`);
    await sleep(systemClock, SETTLE_MS, signal);
    signal?.throwIfAborted();
    await look();
  };
  await step("schema", () => upgraded.migrate(next));
  await step("cores", () => upgraded.replaceCores(next));
  for (const [index, regionId] of [...world.regions.keys()].entries()) {
    const way = ways[index % ways.length] ?? "evacuate";
    await step(`${regionId}, ${way}`, () => upgraded.replaceNode(regionId, next, way));
  }
}
