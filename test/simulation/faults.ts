/** What goes wrong in a simulated world, and when: chosen from the seed before it begins. */
import type { Chance } from "../../shared/chance.testkit.ts";
import { FLUSH_MS } from "./core-database.ts";
import { CRASH_POINTS, type PlannedCrash } from "./crash-points.ts";
import type { Weather } from "./network.ts";
import type { NodeModel } from "./node-model.ts";
import type { RedisModel } from "./redis-model.ts";
import { REGIONS, type World } from "./world.ts";

export const FAULTS_UNTIL_MS = 4_500;
const FAULTS_MAX = 10;
const CRASHES_MAX = 4;
const LAG_MS_MAX = 1_500;
const PROMOTED_AFTER_MS_MAX = 700;
const REDIS_DOWN_MS_MAX = 400;
/** A crash point is passed often or seldom. */
const PASSES = [1, 1, 2, 3, 5, 8, 13, 21];

export const FAULTS = [
  "node dies",
  "node stands still",
  "node is cut off the core",
  "node is cut off Redis",
  "region is fenced",
  "redis crashes and comes back",
  "redis crashes and rewinds",
  "redis fails over to a lagging replica",
  "redis is wiped",
  "core crashes",
  "standby lags",
  "core's standby is promoted",
  "backup is taken",
  "core is restored from backup",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultPlan {
  readonly weather: Weather;
  readonly crashes: readonly PlannedCrash[];
  readonly faults: readonly { readonly atMs: number; readonly fault: Fault }[];
}

/** Each world is spared most kinds of faults, so that those that it has come often and close together. */
export function planFaults(chance: Chance): FaultPlan {
  const kinds = FAULTS.filter(() => chance.once(3));
  const count = kinds.length > 0 ? chance.below(FAULTS_MAX + 1) : 0;
  const faults = Array.from({ length: count }, () => ({
    atMs: 200 + chance.below(FAULTS_UNTIL_MS - 700),
    fault: chance.of(kinds),
  }));
  const crashes = Array.from({ length: chance.below(CRASHES_MAX + 1) }, () => ({
    point: chance.of(CRASH_POINTS),
    pass: chance.of(PASSES),
  }));
  const weather = {
    losesOnceIn: chance.of([0, 0, 50, 12]),
    doublesOnceIn: chance.of([0, 0, 20, 5]),
    delaysOnceIn: chance.of([0, 0, 30, 8]),
    delayMs: chance.of([40, 300, 900]),
  };
  return { weather, crashes, faults: faults.sort((a, b) => a.atMs - b.atMs) };
}

/** A fault in a world; lasting ones for so long, ms. */
type Infliction = (world: World, forMs: number) => void;

const INFLICTIONS: Readonly<Record<Fault, Infliction>> = {
  "node dies": (world) => someNode(world)?.die("node dies"),
  "node stands still": (world, forMs) => someNode(world)?.pause(forMs),
  "node is cut off the core": (world, forMs) => {
    const node = someNode(world);
    if (node) cutOff(world, node, forMs);
  },
  "node is cut off Redis": (world, forMs) => {
    const node = someNode(world);
    if (!node) return;
    node.redisCut = true;
    world.schedule.after(forMs, () => {
      node.redisCut = false;
    });
  },
  "region is fenced": (world) => {
    const regionId = world.chance.of(REGIONS);
    for (const one of world.living) if (one.regionId === regionId) world.fence(one);
  },
  "redis crashes and comes back": (world) => crashRedis(world, keepAll),
  "redis crashes and rewinds": (world) => crashRedis(world, rewindRedis),
  "redis fails over to a lagging replica": (world) => crashRedis(world, rewindRedis),
  "redis is wiped": (world) => crashRedis(world, (_world, redis) => redis.wipe()),
  "core crashes": (world, forMs) => world.crashCore(() => {}, forMs),
  "standby lags": (world, forMs) => {
    const { database } = world.core;
    database.flushMs = 100 + world.chance.below(LAG_MS_MAX);
    world.schedule.after(forMs, () => {
      database.flushMs = FLUSH_MS;
    });
  },
  // One that lags behind a while before.
  "core's standby is promoted": (world, forMs) => {
    const { core, schedule, chance } = world;
    core.database.flushMs = 100 + chance.below(LAG_MS_MAX);
    schedule.after(Math.min(forMs, PROMOTED_AFTER_MS_MAX), () => {
      world.crashCore(() => promote(world));
      core.database.flushMs = FLUSH_MS;
    });
  },
  "backup is taken": ({ core: { database } }) => {
    database.backupPosition = database.flushedPosition;
  },
  "core is restored from backup": (world) => world.crashCore(() => restore(world)),
};

export function inflict(world: World, fault: Fault): void {
  const { chance } = world;
  world.say(() => `FAULT ${fault}`);
  INFLICTIONS[fault](world, 100 + chance.below(chance.of([300, 900, 2_000])));
}

/** What had not reached the standby is gone, or some of it. */
function promote({ core, chance, parts, truth }: World): void {
  const { database } = core;
  const { flushedPosition, history } = database;
  const lost = chance.below(history.position - flushedPosition + 1);
  database.rewind(history.position - lost);
  if (parts.rules.termRises) core.term += 1;
  truth.promoted((playerId) => core.documentsOf(playerId));
}

function restore({ core, parts, truth }: World): void {
  const { backupPosition } = core.database;
  core.database.rewind(backupPosition);
  if (parts.rules.termRises) core.term += 1;
  truth.restored();
  truth.valueRestored(backupPosition);
}

function someNode({ chance, living }: World): NodeModel | undefined {
  return living.length > 0 ? chance.of(living) : undefined;
}

function cutOff({ network, schedule }: World, node: NodeModel, forMs: number): void {
  network.cut.add(node.id);
  schedule.after(forMs, () => network.cut.delete(node.id));
}

/** @param lose what of its data is not there when it comes back */
function crashRedis(world: World, lose: (world: World, redis: RedisModel) => void): void {
  const { schedule, chance, redises, truth } = world;
  const regionId = chance.of(REGIONS);
  const redis = redises[REGIONS.indexOf(regionId)] as RedisModel;
  if (redis.down) return;
  redis.down = true;
  redis.life += 1;
  schedule.after(50 + chance.below(REDIS_DOWN_MS_MAX), () => {
    lose(world, redis);
    redis.down = false;
    if (lose === keepAll) return;
    redis.hasLost = true;
    truth.redisLost((nodeId) => nodeId.startsWith(`${regionId}-`));
  });
}

function keepAll(): void {}

/** What a crash or a failover keeps is a matter of the last second. */
function rewindRedis({ chance }: World, redis: RedisModel): void {
  const unsynced = redis.history.position - redis.syncedPosition;
  redis.rewind(redis.history.position - chance.below(unsynced + 1));
}
