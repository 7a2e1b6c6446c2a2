/**
 * A region's Redis with Sentinels, all of them real: the master is killed under load, cut off with writes that
 * it acknowledged, and comes back. Nothing is lost while the nodes live, and nothing is doubled.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { IRoomCache } from "@colyseus/core";
import type { GroupProcess } from "../../infra/redis/group-process.testkit.ts";
import { TestRedisGroup } from "../../infra/redis/sentinel.testkit.ts";
import { Outbox } from "../../region/outbox/outbox.ts";
import { OutboxStreams } from "../../region/outbox/outbox-streams.ts";
import { outboxKey } from "../../region/redis/keys.ts";
import { RegionDriver } from "../../region/redis/region-driver.ts";
import { createRegionPresence } from "../../region/redis/region-presence.ts";
import { RegionRedis } from "../../region/redis/region-redis.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { MemoryCore } from "../player-state/memory-core.ts";
import { until } from "../until.ts";

const regionId = RegionId.parse("testing");
const log = createLog("region", "silent");
const ends: (() => unknown)[] = [];
let group: TestRedisGroup;

before(async () => {
  group = await TestRedisGroup.start();
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  // Whole again for the next one: three servers, one of them the master.
  for (const server of group.servers) if (!server.isRunning) await server.start();
  await until("both replicas follow", async () => {
    const master = await group.master();
    return (await replicasOf(master)) === 2;
  });
});
after(() => group.stop());

async function replicasOf(server: GroupProcess): Promise<number> {
  const text = String(await server.ask("INFO", "replication").catch(() => ""));
  return text.match(/^slave\d+:.*state=online/gm)?.length ?? 0;
}

let nodes = 0;
async function startNode(core: MemoryCore) {
  nodes += 1;
  const nodeId = NodeId.parse(`testing-${nodes}`);
  const metrics = createMetrics({});
  const clock = systemClock;
  const redis = new RegionRedis({ url: group.url, regionId, clock, log, metrics });
  await redis.start();
  const streams = new OutboxStreams(redis.outbox.redis, regionId);
  const outbox = new Outbox({
    nodeId,
    streams,
    calls: core,
    backlogItemsMax: 100_000,
    backlogBytesMax: 10_000_000,
    clock,
    random: Math.random,
    log,
    metrics,
  });
  const saved = new Map<PlayerId, number>();
  outbox.owner = {
    saved: (marks) => {
      for (const [playerId, revision] of marks) saved.set(playerId, revision);
    },
    rewrite: () => assert.fail("the core's term did not change"),
  };
  streams.onBack(() => void outbox.redisIsBack());
  outbox.start();
  ends.push(() => {
    outbox.stop();
    redis.stop();
  });
  /** One kill more of that player, as the so-manyth change. */
  const kill = (playerId: PlayerId, revision: number) =>
    outbox.add(
      {
        playerId,
        stateEpoch: [1, 1],
        collection: "stats",
        format: 1,
        add: { kills: 1 },
        set: { revision },
      },
      50,
      revision,
    );
  return { nodeId, redis, streams, outbox, saved, kill, metrics };
}

const players = Array.from({ length: 20 }, (_, n) =>
  PlayerId.parse(`01890000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`),
);

function requireAll(core: MemoryCore, kills: ReadonlyMap<PlayerId, number>): void {
  for (const [playerId, count] of kills) {
    assert.deepEqual(core.fields(playerId, "stats"), { kills: count, revision: count });
  }
}

async function producersOf({ nodeId, streams }: Awaited<ReturnType<typeof startNode>>) {
  return (await streams.list()).filter((id) => id.startsWith(`${nodeId}/`));
}

/** Who of the processes under test has a connection there. */
async function usersOf(server: GroupProcess): Promise<number> {
  const text = String(await server.ask("CLIENT", "LIST").catch(() => ""));
  return text.match(/user=region/g)?.length ?? 0;
}

test("kill -9 of the master under load: nothing lost, nothing doubled, and it goes on by itself", async () => {
  const core = new MemoryCore();
  const node = await startNode(core);
  const kills = new Map<PlayerId, number>();
  const saidSaved = new Map<PlayerId, number>();
  let over = false;
  const load = (async () => {
    for (let n = 0; !over; n += 1) {
      const playerId = players[n % players.length] as PlayerId;
      const count = (kills.get(playerId) ?? 0) + 1;
      kills.set(playerId, count);
      node.kill(playerId, count);
      // What a room was told is saved must be at the core, whatever becomes of Redis.
      for (const [id, revision] of node.saved) saidSaved.set(id, revision);
      for (const [id, revision] of saidSaved) {
        assert.ok(Number(core.fields(id, "stats")?.revision) >= revision, "saved is at the core");
      }
      await sleep(systemClock, 1);
    }
  })();
  await until("the load runs", () => core.items > 100);
  const old = await group.master();
  // Answers of the core get lost at the same time: what it has already must not be applied again.
  core.losesAnswers = 3;
  await old.kill();
  await group.failedOver(old);
  const itemsThen = core.items;
  await until("it goes on", () => core.items > itemsThen + 100);
  over = true;
  await load;
  assert.ok(await node.outbox.drained(AbortSignal.timeout(10_000)));
  requireAll(core, kills);
  assert.deepEqual(node.saved, kills, "and all of it was told");
});

test("a master that was cut off with what it had acknowledged costs nothing, and brings nothing back", async () => {
  const core = new MemoryCore();
  const node = await startNode(core);
  const [ada] = players as [PlayerId];
  node.kill(ada, 1);
  assert.ok(await node.outbox.drained(AbortSignal.timeout(10_000)));
  const [before] = await producersOf(node);
  assert.ok(before);
  const old = await group.master();
  // A partition: its replicas are out of its reach, and it takes writes all the same.
  await old.ask("CONFIG", "SET", "min-replicas-to-write", "0");
  await old.ask("ACL", "SETUSER", "replica", "off");
  await old.ask("CLIENT", "KILL", "TYPE", "replica");
  await until("it is alone", async () => (await replicasOf(old)) === 0);
  core.up = false;
  for (let n = 2; n <= 10; n += 1) {
    node.kill(ada, n);
    node.outbox.flush();
    await sleep(systemClock, 5);
  }
  const key = outboxKey(regionId, before);
  await until("all of it is acknowledged", async () => {
    const newest = await old.ask("XREVRANGE", key, "+", "-", "COUNT", "1");
    return String(newest).includes('"revision":10');
  });
  await old.kill();
  await group.failedOver(old);
  core.up = true;
  node.kill(ada, 11);
  assert.ok(await node.outbox.drained(AbortSignal.timeout(10_000)));
  requireAll(core, new Map([[ada, 11]]));
  assert.equal(node.saved.get(ada), 11);
  const [now, ...others] = await producersOf(node);
  assert.ok(now !== undefined && now !== before && others.length === 0, "a new incarnation");

  await old.start();
  let users = 0;
  await until("the old master follows", async () => {
    users += await usersOf(old);
    return old.follows();
  });
  assert.equal(users, 0, "nobody used it meanwhile");
  assert.equal(await old.ask("EXISTS", key), 0, "what it alone had is gone");
  node.kill(ada, 12);
  assert.ok(await node.outbox.drained(AbortSignal.timeout(10_000)));
  requireAll(core, new Map([[ada, 12]]));
});

test("rooms' list and messages are with the new master, and nobody writes to the demoted one", async () => {
  const member = async (processId: string) => {
    const metrics = createMetrics({});
    const clock = systemClock;
    const redis = new RegionRedis({ url: group.url, regionId, clock, log, metrics });
    await redis.start();
    const presence = createRegionPresence({ redis, regionId, log, metrics });
    const connection = redis.shared;
    const driver = new RegionDriver({ connection, processId: () => processId, clock, metrics });
    await driver.boot();
    ends.push(async () => {
      await driver.shutdown();
      redis.stop();
    });
    return { redis, presence, driver };
  };
  const [one, two] = [await member("one"), await member("two")];
  const heard: unknown[] = [];
  await one.presence.subscribe("news", (message: unknown) => heard.push(message));
  await one.driver.insert(listing("room-aaaaaaaaaaa", "one"));
  await until("the listing", async () => (await two.driver.query({})).length === 1);
  const old = await group.master();
  // A planned one: the old master lives on, as a replica.
  const master = await group.failOver();
  await until("all are there", async () => (await usersOf(master)) >= 8);
  await until("the listing is there", async () => (await two.driver.query({})).length === 1);
  await two.presence.hset("scores", "ada", "7");
  assert.deepEqual(await one.presence.hgetall("scores"), { ada: "7" });
  await until("it listens there", async () => (await two.presence.channels()).includes("news"));
  await two.presence.publish("news", 1);
  await until("the message", () => heard.length > 0);
  assert.deepEqual(heard, [1]);
  await two.presence.rpush("jobs", "dig");
  assert.equal((await one.presence.brpop("jobs", 5))?.[1], "dig");
  await until("it follows", () => old.follows());
  assert.equal(await usersOf(old), 0);
});

function listing(roomId: string, processId: string): IRoomCache {
  const created = { createdAt: new Date(), locked: false, private: false, unlisted: false };
  return { roomId, processId, name: "arena", clients: 1, maxClients: 8, ...created };
}
