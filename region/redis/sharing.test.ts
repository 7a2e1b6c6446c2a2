/** What nodes of one region share of their rooms, in a real Redis under the ACL of a region. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { type IRoomCache, type Presence, Room } from "@colyseus/core";
import { Redis } from "ioredis";
import { TestRedis } from "../../infra/redis/test-redis.ts";
import { systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics, type Metrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { colyseusProcessId } from "../node/colyseus.ts";
import { TestNode } from "../transport/test-node.ts";
import { aliveKey, sharedPrefix } from "./keys.ts";
import { RegionDriver } from "./region-driver.ts";
import { createRegionPresence } from "./region-presence.ts";
import { RegionRedis } from "./region-redis.ts";

const regionId = RegionId.parse("testing");
const PREFIX = sharedPrefix(regionId);

interface Member {
  readonly redis: RegionRedis;
  readonly presence: Presence;
  readonly driver: RegionDriver;
  readonly metrics: Metrics;
}

let server: TestRedis;
let observer: Redis;
const members: Member[] = [];

before(async () => {
  server = await TestRedis.start();
  observer = new Redis(server.url, { enableReadyCheck: false, disableClientInfo: true });
  observer.on("error", () => {});
});
afterEach(async () => {
  for (const { driver, redis } of members.splice(0)) {
    await driver.shutdown();
    redis.stop();
  }
});
after(async () => {
  observer.disconnect();
  await server.stop();
});

/** As one node of the region. */
async function member(processId: string | (() => string)): Promise<Member> {
  const metrics = createMetrics({});
  const log = createLog("region", "silent");
  const redis = new RegionRedis({ url: server.url, regionId, clock: systemClock, log, metrics });
  await redis.start();
  const presence = createRegionPresence({ redis, regionId, log, metrics });
  const driver = new RegionDriver({
    connection: redis.shared,
    processId: typeof processId === "string" ? () => processId : processId,
    clock: systemClock,
    metrics,
  });
  const made = { redis, presence, driver, metrics };
  members.push(made);
  return made;
}

/** A listing as Colyseus makes it. */
function room(roomId: string, processId: string): IRoomCache {
  const created = { createdAt: new Date(), locked: false, private: false, unlisted: false };
  return { roomId, processId, name: "arena", clients: 1, maxClients: 8, ...created };
}

const idsOf = (rooms: readonly IRoomCache[]) => rooms.map(({ roomId }) => roomId).sort();
const A = "room-aaaaaaaaaaa";
const B = "room-bbbbbbbbbbb";

test("the list holds the region's rooms; placing looks at one's own only", async () => {
  const [one, two] = [await member("one"), await member("two")];
  await Promise.all([one.driver.boot(), two.driver.boot()]);
  await one.driver.insert(room(A, "one"));
  const listed = room(B, "two");
  await two.driver.insert(listed);
  two.driver.update(listed, { $inc: { clients: 2 }, $set: { locked: true } });
  await until("the change", async () => (await one.driver.query({ locked: true })).length === 1);
  assert.deepEqual(idsOf(await one.driver.query({ name: "arena" })), [A, B]);
  assert.equal((await one.driver.findOne({ roomId: B }))?.clients, 3);
  assert.deepEqual([...(await one.driver.findByIds([A, B, "none"])).keys()].sort(), [A, B]);
  const open = { name: "arena", locked: false, private: false };
  one.driver.remove(A);
  assert.equal(await one.driver.findOne(open), undefined, "no other node's room is a place here");
  await until("the room's end", async () => (await two.driver.query({})).length === 1);
});

test("rooms of a process that was killed are not found, and are taken out", async () => {
  const [one, two] = [await member("one"), await member("two")];
  await Promise.all([one.driver.boot(), two.driver.boot()]);
  await two.driver.insert(room(B, "two"));
  await until("the listing", async () => (await one.driver.query({})).length === 1);
  two.redis.stop();
  // What time does to the key of a process that does not write it any more.
  await observer.del(PREFIX + aliveKey("two"));
  assert.deepEqual(await one.driver.query({}), []);
  assert.equal(await one.driver.findOne({ roomId: B }), undefined);
  await until("the clearing up", async () => (await observer.hlen(`${PREFIX}roomcaches`)) === 0);
});

test("a node that lives has its list expire never, and in seconds once it is dead", async () => {
  const one = await member("one");
  await one.driver.boot();
  const ttl = await observer.ttl(PREFIX + aliveKey("one"));
  assert.ok(ttl > 0 && ttl <= 7, `${ttl} s`);
});

test("after Redis was lost with everything the owner's list is there again", async () => {
  const [one, two] = [await member("one"), await member("two")];
  await Promise.all([one.driver.boot(), two.driver.boot()]);
  await one.driver.insert(room(A, "one"));
  await server.kill();
  await until("the loss", () => !two.redis.shared.up && !one.redis.shared.up);
  assert.deepEqual(await two.driver.query({}), [], "without Redis: one's own");
  assert.deepEqual(idsOf(await one.driver.query({})), [A]);
  one.driver.update(room(A, "one"), { $set: { locked: true } });
  await server.start();
  await until("the list's return", async () => idsOf(await two.driver.query({})).includes(A));
});

test("a room that ended while its node had no connection leaves the list after all", async () => {
  const [one, two] = [await member("one"), await member("two")];
  await Promise.all([one.driver.boot(), two.driver.boot()]);
  await one.driver.insert(room(A, "one"));
  await until("the listing", async () => (await two.driver.query({})).length === 1);
  one.redis.shared.redis.disconnect(true);
  one.driver.remove(A);
  assert.deepEqual(idsOf(await two.driver.query({})), [A]);
  await until("the removal", async () => (await two.driver.query({})).length === 0);
});

test("an entry that is no listing hides nobody else's", async () => {
  const one = await member("one");
  await one.driver.boot();
  await one.driver.insert(room(A, "one"));
  await observer.hset(`${PREFIX}roomcaches`, "x", '{"roomId":7}');
  await until("the listing", async () => (await one.driver.query({})).length === 1);
  assert.deepEqual(idsOf(await one.driver.query({})), [A]);
  await observer.hset(`${PREFIX}roomcaches`, "x", "{");
  assert.deepEqual(idsOf(await one.driver.query({})), [A], "no JSON at all: one's own");
  await observer.hdel(`${PREFIX}roomcaches`, "x");
  assert.match(await one.metrics.metrics(), /listings_failed_total\{call="read"\} [1-9]/);
});

test("messages, keys and blocking reads of rooms reach the region's other nodes", async () => {
  const [one, two] = [await member("one"), await member("two")];
  const heard: unknown[] = [];
  await one.presence.subscribe("news", (message: unknown) => heard.push(message));
  await two.presence.publish("news", { boss: "dragon" });
  await until("the message", () => heard.length === 1);
  assert.deepEqual(heard, [{ boss: "dragon" }]);
  assert.deepEqual(await two.presence.channels("n*"), ["news"]);
  await one.presence.hset("scores", "ada", "7");
  assert.deepEqual(await two.presence.hgetall("scores"), { ada: "7" });
  assert.equal(await observer.hget(`${PREFIX}scores`, "ada"), "7", "under the region's prefix");
  const waiting = one.presence.brpop("jobs", 5);
  await two.presence.rpush("jobs", "dig");
  assert.deepEqual((await waiting)?.[1], "dig");
  assert.equal(await one.presence.brpop("jobs", 0.05), null);
  await one.presence.unsubscribe("news");
  await two.presence.publish("news", 1);
  assert.deepEqual(await two.presence.channels("n*"), []);
});

test("listeners are back after Redis was away", async () => {
  const [one, two] = [await member("one"), await member("two")];
  let heard = 0;
  await one.presence.subscribe("news", () => {
    heard += 1;
  });
  await server.kill();
  await until("the loss", () => !one.redis.listening.up && !two.redis.shared.up);
  await assert.rejects(two.presence.publish("news", 1));
  await server.start();
  await until("the return", () => one.redis.listening.up && two.redis.shared.up);
  await until("the subscription", async () => (await two.presence.channels()).includes("news"));
  await two.presence.publish("news", 1);
  await until("the message", () => heard === 1);
});

let called = 0;
class Vault extends Room {
  open(): string {
    called += 1;
    return "gold";
  }
}

test("whoever writes to Redis can't call a room's methods, nor make rooms", async () => {
  const { presence, driver } = await member(colyseusProcessId);
  const node = new TestNode({ games: { vault: Vault }, sharing: { presence, driver } });
  await node.start();
  const { claims } = await node.seat("vault");
  const { roomId } = claims;
  assert.deepEqual(idsOf(await driver.query({})), [roomId], "a real room is in the list");
  const answered: string[] = [];
  const listener = observer.duplicate();
  await listener.subscribe(`${PREFIX}ipc:1`, "meridian:ipc:1");
  listener.on("message", (_channel, text) => answered.push(text));
  const makes = ["vault", {}];
  for (const channel of [`$${roomId}`, `p:${colyseusProcessId()}`]) {
    for (const prefix of [PREFIX, "meridian:"]) {
      const call = JSON.stringify(channel.startsWith("$") ? ["open", "1", []] : [null, "1", makes]);
      assert.equal(await observer.publish(prefix + channel, call), 0, "nobody listens");
    }
  }
  assert.equal(called, 0);
  assert.deepEqual(answered, []);
  assert.equal(node.rooms.count, 1);
  listener.disconnect();
  await node.stop();
  await until("the room's end", async () => (await observer.hlen(`${PREFIX}roomcaches`)) === 0);
});
