/**
 * The core's Redis with Sentinels, all of them real: whoever waits keeps the place over failovers, is let in in
 * order and once, and a mirror that may lack something never passes for whole.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { AdmissionRedis } from "../../core/admission/admission-redis.ts";
import { type Guest, playersApi } from "../../core/admission/players-api.testkit.ts";
import { RedisQueueMirror } from "../../core/admission/queue-mirror.ts";
import { QUEUE_KEY, QUEUE_MARKER_KEY } from "../../core/admission/redis-keys.ts";
import { startTestCore } from "../../core/test-core.ts";
import { startTestRegion } from "../../core/test-region.ts";
import type { GroupProcess } from "../../infra/redis/group-process.testkit.ts";
import { TestRedisGroup } from "../../infra/redis/sentinel.testkit.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { PlayerId, RegionId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { JoinOutcome } from "../../shared/protocol/join.ts";
import { PollAnswer, type QueueClaim, type QueuePlace } from "../../shared/protocol/queue.ts";
import { until } from "../until.ts";

const WAITING = 6;
const regionId = RegionId.parse("shanghai");
const log = createLog("core", "silent");
const ends: (() => unknown)[] = [];
let group: TestRedisGroup;

before(async () => {
  // With one replica it is known who is the next master; it then has none itself, and takes writes.
  group = await TestRedisGroup.start({ user: "core", replicas: 1, minReplicas: 0 });
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
after(() => group.stop());

test("over a failover those who wait are let in in their order, and each of them once", async () => {
  const core = await startTestCore({ ADMISSION_REDIS_URL: group.url });
  ends.push(() => core.stop());
  const region = await startTestRegion({ core, name: regionId });
  ends.push(() => region.stop());
  // Told anew each half second: whoever was given a seat has it.
  const load = { connected: 100 };
  region.grant = async (request) => {
    load.connected += 1;
    return region.granted(request);
  };
  await region.beat(load);
  const { post, newGuest } = playersApi(() => core.url);
  const wish = { game: "arena", protocol: 1, mayQueue: true };
  const join = async (guest: Guest, queueToken?: string) => {
    const body = { ...wish, ...(queueToken && { queueToken }) };
    const answer = await post("/v1/join", body, guest.accessToken);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return JoinOutcome.parse(answer.body);
  };
  const seated: number[] = [];
  /** Waits as a client does, and takes the seat. */
  const wait = async (guest: Guest, first: QueuePlace) => {
    for (let place = first; ; ) {
      await sleep(systemClock, place.pollAfterMs);
      const answer = await post("/v1/queue/poll", { token: place.token, hold: true });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      place = PollAnswer.parse(answer.body).queue;
      assert.equal(place.number, first.number, "the place is kept");
      if (place.state === "waiting") continue;
      assert.ok("ticket" in (await join(guest, place.token)), "whoever is called gets the seat");
      seated.push(place.number);
      return;
    }
  };
  const waits: Promise<void>[] = [];
  const numbers: number[] = [];
  for (let n = 0; n < WAITING; n += 1) {
    const guest = await newGuest();
    const outcome = await join(guest);
    assert.ok("queue" in outcome);
    numbers.push(outcome.queue.number);
    waits.push(wait(guest, outcome.queue));
  }
  const old = await group.master();
  await until("the queue is there", async () => (await old.ask("HLEN", QUEUE_KEY)) === WAITING);
  load.connected -= 3;
  await old.kill();
  await until("some are let in without it", () => seated.length >= 3);
  const master = await group.failedOver(old);
  await until("the rest is with the new master", async () => {
    const marker = String(await master.ask("GET", QUEUE_MARKER_KEY));
    const { runId } = JSON.parse(marker);
    const ours = String(await master.ask("INFO", "server")).includes(`run_id:${runId}`);
    // On a busy machine the region's word may come late, and one more be let in.
    return ours && (await master.ask("HLEN", QUEUE_KEY)) === WAITING - seated.length;
  });
  load.connected -= WAITING;
  await Promise.all(waits);
  const inOrder = (some: readonly number[]) => [...some].sort((a, b) => a - b);
  assert.deepEqual(inOrder(seated.slice(0, 3)), numbers.slice(0, 3), "the first ones, first");
  assert.deepEqual(inOrder(seated), numbers);
  const asked = region.asked.flatMap((request) => {
    return request.kind === "seat" ? [request.player.playerId] : [];
  });
  assert.equal(new Set(asked).size, WAITING);
  assert.equal(asked.length, WAITING, "no seat was asked for twice");
  await old.start();
});

test("a mirror is not trusted once its Redis was demoted and promoted again, without a restart", async () => {
  const first = await oneLife();
  await first.mirror.load();
  first.note([1, 2, 3].map(claimOf));
  const old = await group.master();
  await until("it is there", async () => (await old.ask("HLEN", QUEUE_KEY)) === 3);
  await first.end();
  const same = await oneLife();
  assert.equal((await same.mirror.load())?.length, 3, "as long as it is the same");
  await same.end();
  const other = group.servers.find((server) => server !== old) as GroupProcess;
  for (const next of [other, old]) {
    await until("it follows", () => next.follows());
    assert.equal(await group.failOver(), next);
  }
  // What it held came back from the other one, and may lack what that never got.
  assert.equal(await old.ask("HLEN", QUEUE_KEY), 3);
  const third = await oneLife();
  assert.equal(await third.mirror.load(), undefined);
});

/** Of a core that keeps its queue in memory. */
async function oneLife() {
  const metrics = createMetrics({});
  const clock = systemClock;
  const redis = new AdmissionRedis({ url: group.url, clock, log, metrics });
  await redis.start();
  const connection = redis.queue;
  assert.ok(connection);
  const queue = new Map<PlayerId, QueueClaim>();
  const mirror = new RedisQueueMirror({
    connection,
    all: () => queue.values(),
    onLost: () => undefined,
    lastWaitedMs: async () => undefined,
    clock,
    log,
    metrics,
  });
  mirror.start();
  let over = false;
  async function end(): Promise<void> {
    if (over) return;
    over = true;
    await mirror.stop();
    redis.stop();
  }
  ends.push(end);
  return {
    mirror,
    end,
    note(claims: readonly QueueClaim[]) {
      for (const claim of claims) queue.set(claim.leader, claim);
      mirror.note(new Map(claims.map((claim) => [claim.leader, claim])));
    },
  };
}

function claimOf(n: number): QueueClaim {
  const playerId = PlayerId.parse(`00000000-0000-7000-8000-${String(n).padStart(12, "0")}`);
  return {
    playerId,
    leader: playerId,
    party: [],
    class: "normal",
    places: [[regionId, n]],
    seenMs: 1_700_000_000_000 + n,
    graceMs: 120_000,
    life: 1,
  };
}
