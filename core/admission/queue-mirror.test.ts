/** The mirror of the queue in a real Redis, under the core's own rights: emptied, killed, paused, restarted. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Redis } from "ioredis";
import { TestRedis, type TestRedisOptions } from "../../infra/redis/test-redis.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { PlayerId, RegionId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { QUEUE_POLL_MS_MAX, type QueueClaim } from "../../shared/protocol/queue.ts";
import { until } from "../../test/until.ts";
import { AdmissionRedis } from "./admission-redis.ts";
import { RedisQueueMirror } from "./queue-mirror.ts";
import { QUEUE_KEY, QUEUE_MARKER_KEY } from "./redis-keys.ts";

const regionId = RegionId.parse("testing");
const log = createLog("core", "silent");
const SPEED = 10;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function redisServer(options: TestRedisOptions = {}) {
  const server = await TestRedis.start({ user: "core", ...options });
  const admin = new Redis(server.adminUrl);
  // Gone whenever the server is.
  admin.on("error", () => {});
  ends.push(async () => {
    admin.disconnect();
    server.resume();
    await server.stop();
  });
  return { server, admin };
}

/** A clock whose periods are ten times as short, and that can be moved on, for what takes half a minute. */
function quickClock() {
  let aheadMs = 0;
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() * SPEED + aheadMs,
    every: (periodMs, task) => systemClock.every(periodMs / SPEED, task),
  };
  return {
    clock,
    moveOn(ms: number) {
      aheadMs += ms;
    },
  };
}

/** As one life of the core, which keeps its queue in memory. */
async function core(server: TestRedis, lastWaitedMs = async (): Promise<number | undefined> => 0) {
  const queue = new Map<PlayerId, QueueClaim>();
  const metrics = createMetrics({});
  const { clock, moveOn } = quickClock();
  const redis = new AdmissionRedis({ url: server.url, clock: systemClock, log, metrics });
  await redis.start();
  const { queue: connection } = redis;
  assert.ok(connection);
  let lost = 0;
  const mirror = new RedisQueueMirror({
    connection,
    all: () => queue.values(),
    onLost() {
      lost += 1;
    },
    lastWaitedMs,
    clock,
    log,
    metrics,
  });
  mirror.start();
  let over = false;
  /** In order, or as a kill would: without what is pending. */
  async function end(how: "stop" | "kill" = "stop"): Promise<void> {
    if (over) return;
    over = true;
    if (how === "kill") redis.stop();
    await mirror.stop();
    redis.stop();
  }
  ends.push(() => end());
  return {
    mirror,
    metrics,
    connection,
    moveOn,
    end,
    lost: () => lost,
    queue,
    note(...claims: QueueClaim[]) {
      for (const claim of claims) queue.set(claim.leader, claim);
      mirror.note(new Map(claims.map((claim) => [claim.leader, claim])));
    },
    leave(leader: PlayerId) {
      queue.delete(leader);
      mirror.note(new Map([[leader, undefined]]));
    },
  };
}

const playerId = (n: number) =>
  PlayerId.parse(`00000000-0000-7000-8000-${String(n).padStart(12, "0")}`);

function claimOf(n: number, number = n): QueueClaim {
  return {
    playerId: playerId(n),
    leader: playerId(n),
    party: [],
    class: "normal",
    places: [[regionId, number]],
    seenMs: 1_700_000_000_000 + n,
    graceMs: 120_000,
    life: 1,
  };
}

const claims = (count: number) => Array.from({ length: count }, (_, n) => claimOf(n));

function sorted(list: readonly QueueClaim[] | undefined): QueueClaim[] | undefined {
  return list && [...list].sort((one, two) => (one.leader < two.leader ? -1 : 1));
}

/** A first core whose mirror holds its queue. */
async function coreWithQueue(server: TestRedis, count: number) {
  const first = await core(server);
  assert.equal(await first.mirror.load(), undefined);
  first.note(...claims(count));
  first.moveOn(QUEUE_POLL_MS_MAX);
  return first;
}

async function held(admin: Redis, count: number): Promise<void> {
  await until(`${count} entries, and the marker`, async () => {
    const [entries, marker] = [await admin.hlen(QUEUE_KEY), await admin.get(QUEUE_MARKER_KEY)];
    return entries === count && marker?.includes("runId");
  });
}

test("a Redis that held nothing is filled only once waiting clients had their time", async () => {
  const { server, admin } = await redisServer();
  const first = await core(server);
  assert.equal(await first.mirror.load(), undefined);
  first.note(...claims(3));
  await first.end();
  assert.equal(await admin.exists(QUEUE_KEY, QUEUE_MARKER_KEY), 0);

  await coreWithQueue(server, 3);
  await held(admin, 3);
});

test("where nobody ever waited a Redis that held nothing is trusted at once", async () => {
  const { server, admin } = await redisServer();
  const never = async () => undefined;
  const first = await core(server, never);
  assert.deepEqual(await first.mirror.load(), []);
  first.note(...claims(3));
  await held(admin, 3);
  await first.end("kill");
  assert.deepEqual(sorted(await (await core(server)).mirror.load()), claims(3));
});

test("the next core finds everything, merged per leader, without who is gone", async () => {
  const { server, admin } = await redisServer();
  const first = await coreWithQueue(server, 5);
  await held(admin, 5);
  first.note(claimOf(1, 77));
  first.note(claimOf(1, 78));
  first.leave(playerId(2));
  first.note(claimOf(9));
  first.leave(playerId(9));
  await first.end();

  const second = await core(server);
  const expected = [claimOf(0), claimOf(1, 78), claimOf(3), claimOf(4)];
  assert.deepEqual(sorted(await second.mirror.load()), expected);
  second.note(claimOf(5));
  await held(admin, 5);
  assert.equal(second.lost(), 0);
});

test("a queue that is empty is one to be trusted", async () => {
  const { server, admin } = await redisServer();
  const first = await coreWithQueue(server, 1);
  first.leave(playerId(0));
  await held(admin, 0);
  await first.end("kill");
  assert.deepEqual(await (await core(server)).mirror.load(), []);
});

test("after FLUSHALL the running core says so once, and writes everything anew", async () => {
  const { server, admin } = await redisServer();
  const first = await coreWithQueue(server, 2_500);
  await held(admin, 2_500);
  await admin.flushall();
  first.note(claimOf(2_500));
  await held(admin, 2_501);
  assert.equal(first.lost(), 1);
  await first.end();
  assert.equal((await (await core(server)).mirror.load())?.length, 2_501);
});

for (const keeps of [false, true]) {
  const how = keeps ? "with its data, perhaps not the newest" : "empty";
  test(`a Redis that was killed and is back ${how} is written anew`, async () => {
    const { server, admin } = await redisServer({ keeps });
    const first = await coreWithQueue(server, 10);
    await held(admin, 10);
    await server.kill();
    await until("the loss", () => !first.connection.up);
    first.leave(playerId(3));
    await server.start();
    await until("the return", () => first.lost() === 1);
    await held(admin, 9);
    await first.end();
    assert.equal((await (await core(server)).mirror.load())?.length, 9);
  });
}

test("a Redis that was cut off and is the same as before gets what it missed", async () => {
  const { server, admin } = await redisServer();
  const first = await coreWithQueue(server, 3);
  await held(admin, 3);
  first.connection.redis.disconnect(true);
  first.note(claimOf(3), claimOf(4));
  await held(admin, 5);
  assert.equal(first.lost(), 0);
});

test("what was restarted, or not reached until the core's end, is not trusted", async () => {
  const { server, admin } = await redisServer({ keeps: true });
  const first = await coreWithQueue(server, 3);
  await held(admin, 3);
  await first.end("kill");
  const waitedAfterwards = await core(server, async () => Date.now() + 2 * QUEUE_POLL_MS_MAX);
  assert.equal(await waitedAfterwards.mirror.load(), undefined);
  await waitedAfterwards.end();
  await server.kill();
  await server.start();
  assert.equal(await (await core(server)).mirror.load(), undefined);
});

test("a mirror that was being written when the core ended is not trusted", async () => {
  const { server, admin } = await redisServer();
  const first = await coreWithQueue(server, 3);
  await held(admin, 3);
  await first.end();
  await admin.set(QUEUE_MARKER_KEY, "{}");
  assert.equal(await (await core(server)).mirror.load(), undefined);
});

test("entries that are none are skipped and counted", async () => {
  const { server, admin } = await redisServer();
  const first = await coreWithQueue(server, 2);
  await held(admin, 2);
  await first.end();
  // All later numbers would be above that one, and there are none: the next place would never be found a number.
  const last = { ...claimOf(6), places: [[regionId, Number.MAX_SAFE_INTEGER]] };
  await admin.hset(QUEUE_KEY, { a: "{", b: '{"leader":7}', c: JSON.stringify(claimOf(5)) });
  await admin.hset(QUEUE_KEY, { [last.leader]: JSON.stringify(last) });
  const second = await core(server);
  assert.deepEqual(sorted(await second.mirror.load()), claims(2));
  assert.match(await second.metrics.metrics(), /queue_mirror_skipped_total 4/);
});

test("a Redis that hangs or is away does not hold up the start, nor fail it later", async () => {
  const { server } = await redisServer();
  const first = await core(server);
  server.pause();
  assert.equal(await first.mirror.load(), undefined);
  await server.kill();
  const second = await core(server);
  assert.equal(await second.mirror.load(), undefined);
  second.note(claimOf(1));
  assert.equal(second.lost(), 0);
});

test("50,000 entries are written in chunks, and loaded within the deadline", async (t) => {
  const { server, admin } = await redisServer();
  const beganMs = systemClock.monotonicMs();
  const first = await coreWithQueue(server, 50_000);
  await held(admin, 50_000);
  const writtenMs = systemClock.monotonicMs();
  await first.end();
  const second = await core(server);
  const loadedFromMs = systemClock.monotonicMs();
  assert.equal((await second.mirror.load())?.length, 50_000);
  const loadMs = systemClock.monotonicMs() - loadedFromMs;
  t.diagnostic(`written ${writtenMs - beganMs} ms, loaded ${loadMs} ms`);
});
