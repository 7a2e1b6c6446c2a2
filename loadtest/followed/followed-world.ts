/** A local world whose players are followed, and when it is ready for the next blow. */
import { fileURLToPath } from "node:url";
import type { ProcessHandle } from "../../infra/local/processes.ts";
import { type LocalWorld, startLocalWorld, type WorldOptions } from "../../infra/local/world.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { RegionsAnswer } from "../../shared/protocol/join.ts";
import { countOf, type FollowedCrowd } from "./followed-crowd.ts";
import type { Standing } from "./players-process.ts";

/** Only whoever strikes starts parts again. */
const RESTART_DELAY_MS = 3_600_000;
const CALL_DEADLINE_MS = 5_000;
const POLL_MS = 50;
/** Replicas are begun anew within 2 s of a standby's loss; a look that is right once may be of the moment before. */
const READY_FOR_MS = 500;
const UNPROTECTED = /^meridian_region_replicated_rooms\{[^}]*state="unprotected"[^}]*\} (\d+)/gm;

/**
 * What a world needs so that hundreds of guests may come from one address at once, and all play in one region.
 * How they come back after a loss is left as it is for everybody.
 */
export const FOLLOWED_ENV = {
  GAMES_FILE: fileURLToPath(import.meta.resolve("./traced-games.ts")),
  LOG_LEVEL: "warn",
  GUESTS_PER_PREFIX_PER_SECOND: "1000",
  GUESTS_PER_PREFIX_BURST: "10000",
  GUESTS_PER_SECOND: "1000",
  GUESTS_BURST: "10000",
  REGION_CAPACITY: "2000",
} as const;

export function startFollowedWorld(options: WorldOptions): Promise<LocalWorld> {
  return startLocalWorld({
    pages: false,
    breakableLinks: true,
    restartDelayMs: RESTART_DELAY_MS,
    ...options,
    env: { ...FOLLOWED_ENV, ...options.env },
  });
}

export interface Readiness {
  readonly world: LocalWorld;
  readonly crowd: FollowedCrowd;
  /** A region that is gone, and may be. */
  readonly without?: RegionId;
  /** Nodes of regions beside their first. */
  readonly siblings?: readonly ProcessHandle[];
  readonly withinMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Everybody plays, every region takes players, and every room has a copy. A node that ended by itself, because the
 * core had given it up, is started again meanwhile.
 * @throws naming what is missing when that does not come about
 */
export function whenReady(options: Readiness): Promise<void> {
  const { world, crowd, without, siblings = [], ...waiting } = options;
  const regions = [...world.regions].filter(([regionId]) => regionId !== without);
  const nodes = [...regions.map(([, node]) => node), ...siblings];
  return waitFor({
    ...waiting,
    forMs: READY_FOR_MS,
    async wrong() {
      const ended = nodes.filter(({ pid }) => pid === undefined);
      await Promise.all(ended.map((node) => node.restart()));
      const standing = await crowd.standing();
      const playing = countOf(standing);
      if (playing < standing.players) return `${playing} of ${standing.players} play`;
      const inactive = (await inactiveRegions(world)).filter((id) => id !== without);
      if (inactive.length > 0) return `${inactive.join(", ")} take no players`;
      const unprotected = await unprotectedRooms(world, without);
      return unprotected > 0 ? `${unprotected} rooms have no copy` : undefined;
    },
  });
}

export interface Waiting {
  /** What is missing now; undefined when nothing is. */
  readonly wrong: () => Promise<string | undefined>;
  readonly withinMs: number;
  /** How long it must hold; a single look by default. */
  readonly forMs?: number;
  readonly signal?: AbortSignal;
}

/** @throws with what was missing last; at once when the signal comes */
export async function waitFor({ wrong, withinMs, forMs = 0, signal }: Waiting): Promise<void> {
  const beganMs = systemClock.monotonicMs();
  let rightSinceMs: number | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const problem = await wrong().catch((error: unknown) => String(error));
    const nowMs = systemClock.monotonicMs();
    if (problem !== undefined) rightSinceMs = undefined;
    else rightSinceMs ??= nowMs;
    if (rightSinceMs !== undefined && nowMs - rightSinceMs >= forMs) return;
    if (nowMs - beganMs > withinMs + forMs) {
      throw new Error(`after ${withinMs} ms: ${problem ?? "it does not last"}`);
    }
    await sleep(systemClock, POLL_MS, signal);
  }
}

/** The region of a node, by its name. */
export function regionOfNode(nodeId: string): RegionId {
  return RegionId.parse(nodeId.replace(/-\d+$/, ""));
}

export function playersByRegion({ byNode }: Standing): Map<RegionId, number> {
  const byRegion = new Map<RegionId, number>();
  for (const [nodeId, players] of Object.entries(byNode)) {
    const regionId = regionOfNode(nodeId);
    byRegion.set(regionId, (byRegion.get(regionId) ?? 0) + players);
  }
  return byRegion;
}

/** Where most of them play. @throws when nobody plays anywhere */
export function fullestRegion(standing: Standing): RegionId {
  const [fullest] = [...playersByRegion(standing)].sort(([, a], [, b]) => b - a);
  if (!fullest) throw new Error("nobody plays anywhere");
  return fullest[0];
}

async function inactiveRegions(world: LocalWorld): Promise<RegionId[]> {
  const answer = await get(`${world.core.url}/v1/regions`);
  const { regions } = RegionsAnswer.parse(JSON.parse(answer));
  return regions.filter(({ state }) => state !== "active").map(({ regionId }) => regionId);
}

/** As the regions' first nodes count them. */
export async function unprotectedRooms(world: LocalWorld, without?: RegionId): Promise<number> {
  let rooms = 0;
  for (const [regionId, { privateUrl }] of world.regions) {
    if (regionId === without) continue;
    const metrics = await get(`${privateUrl}/metrics`);
    for (const [, count] of metrics.matchAll(UNPROTECTED)) rooms += Number(count);
  }
  return rooms;
}

async function get(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(CALL_DEADLINE_MS) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return await response.text();
}
