/** The outbox in a real Redis, with a core that fails when it is told to: nothing lost, nothing twice. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { TestRedis } from "../../infra/redis/test-redis.ts";
import { OrphanStreams } from "../../region/outbox/orphan-streams.ts";
import { Outbox } from "../../region/outbox/outbox.ts";
import { OutboxStreams } from "../../region/outbox/outbox-streams.ts";
import { producerIdOf } from "../../region/outbox/producer-step.ts";
import { outboxesKey, outboxKey } from "../../region/redis/keys.ts";
import { RegionRedis } from "../../region/redis/region-redis.ts";
import { systemClock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import type { Marks } from "../../shared/player-state/change-set.ts";
import type { StateChange } from "../../shared/protocol/player-state.ts";
import { until } from "../until.ts";
import { MemoryCore } from "./memory-core.ts";

const regionId = RegionId.parse("testing");
const log = createLog("region", "silent");
let server: TestRedis;
let redis: RegionRedis;
let nodes = 0;
const running: { stop(): unknown }[] = [];

before(async () => {
  server = await TestRedis.start();
  redis = new RegionRedis({
    url: server.url,
    regionId,
    clock: systemClock,
    log,
    metrics: createMetrics({}),
  });
  await redis.start();
});
afterEach(async () => {
  for (const part of running.splice(0)) await part.stop();
  await redis.outbox.redis.del(outboxesKey(regionId));
});
after(async () => {
  redis.stop();
  await server.stop();
});

class Node {
  readonly id: NodeId;
  readonly outbox: Outbox;
  readonly streams = new OutboxStreams(redis.outbox.redis, regionId);
  readonly saved = new Map<PlayerId, number>();
  rewrites = 0;
  #revision = 0;

  constructor(core: MemoryCore, limits: { items?: number; bytes?: number } = {}) {
    nodes += 1;
    this.id = NodeId.parse(`testing-${nodes}`);
    this.outbox = new Outbox({
      nodeId: this.id,
      streams: this.streams,
      calls: core,
      backlogItemsMax: limits.items ?? 100_000,
      backlogBytesMax: limits.bytes ?? 10_000_000,
      clock: systemClock,
      random: Math.random,
      log,
      metrics: createMetrics({}),
    });
    this.outbox.owner = {
      saved: (marks: Marks) => {
        for (const [playerId, revision] of marks) this.saved.set(playerId, revision);
      },
      rewrite: () => {
        this.rewrites += 1;
      },
    };
    this.streams.onBack(() => void this.outbox.redisIsBack());
    this.outbox.start();
    running.push(this.outbox);
  }

  change(
    playerId: PlayerId,
    change: Partial<StateChange>,
    epoch: readonly [number, number] = [1, 1],
  ) {
    this.#revision += 1;
    const item = { playerId, stateEpoch: epoch, collection: "stats", format: 1, ...change };
    this.outbox.add(item, 50, this.#revision);
    return this.#revision;
  }

  drained(): Promise<boolean> {
    return this.outbox.drained(AbortSignal.timeout(10_000));
  }
}

let players = 0;
function newPlayer(): PlayerId {
  players += 1;
  return PlayerId.parse(`01890000-0000-7000-8000-${players.toString(16).padStart(12, "0")}`);
}

test("changes arrive merged, the player is told what is saved, and the stream is empty again", async () => {
  const core = new MemoryCore();
  const node = new Node(core);
  const [ada, bea] = [newPlayer(), newPlayer()];
  for (let n = 1; n <= 100; n += 1) node.change(ada, { add: { kills: 1 }, set: { last: n } });
  const newest = node.change(bea, { set: { title: "none" } });
  assert.ok(await node.drained());
  assert.deepEqual(core.fields(ada, "stats"), { kills: 100, last: 100 });
  assert.deepEqual(core.fields(bea, "stats"), { title: "none" });
  assert.equal(core.items, 2);
  assert.equal(node.saved.get(bea), newest);
  await until("trimmed", async () => {
    const keys = await Promise.all(
      (await node.streams.list()).map((id) =>
        redis.outbox.redis.xrange(outboxKey(regionId, id), "1", "+"),
      ),
    );
    return keys.every((entries) => entries.length === 0);
  });
});

test("answers that get lost double nothing", async () => {
  const core = new MemoryCore();
  const node = new Node(core);
  const ada = newPlayer();
  core.losesAnswers = 3;
  for (let n = 0; n < 5; n += 1) {
    node.change(ada, { add: { kills: 1 } });
    node.outbox.flush();
  }
  assert.ok(await node.drained());
  node.change(ada, { add: { kills: 1 } });
  assert.ok(await node.drained());
  assert.deepEqual(core.fields(ada, "stats"), { kills: 6 });
});

test("a Redis that comes back empty costs nothing while the node lives", async () => {
  const core = new MemoryCore();
  const node = new Node(core);
  const ada = newPlayer();
  node.change(ada, { add: { kills: 1 } });
  assert.ok(await node.drained());
  core.up = false;
  node.change(ada, { add: { kills: 10 } });
  await until("written down", async () => node.outbox.backlog.bytes > 0);
  await server.kill();
  node.change(ada, { add: { kills: 100 } });
  core.losesAnswers = 1;
  await server.start();
  core.up = true;
  assert.ok(await node.drained());
  assert.deepEqual(core.fields(ada, "stats"), { kills: 111 });
});

test("a Redis that was set back gets the rest again, and nothing is applied twice", async () => {
  const core = new MemoryCore();
  const node = new Node(core);
  const ada = newPlayer();
  node.change(ada, { add: { kills: 1 } });
  assert.ok(await node.drained());
  core.up = false;
  const [producerId] = await node.streams.list();
  assert.ok(producerId);
  const key = outboxKey(regionId, producerId);
  for (const kills of [10, 100]) {
    node.change(ada, { add: { kills } });
    node.outbox.flush();
    await until("written down", async () => {
      const [, , text] = (await redis.outbox.redis.xrevrange(key, "+", "-", "COUNT", 1)).flat(2);
      return text?.includes(`${kills}`);
    });
  }
  await redis.outbox.redis.del(key);
  await redis.outbox.redis.xadd(key, "1-0", "items", "[]");
  core.up = true;
  node.change(ada, { add: { kills: 1_000 } });
  assert.ok(await node.drained());
  assert.deepEqual(core.fields(ada, "stats"), { kills: 1_111 });
});

test("a dead node's stream is sent on by another, which says when it was the last", async () => {
  const core = new MemoryCore();
  core.up = false;
  const dead = new Node(core);
  const somebody = Array.from({ length: 12 }, newPlayer);
  for (const player of somebody) dead.change(player, { add: { kills: 1 } });
  dead.outbox.flush();
  await until("written down", async () => {
    const waiting = dead.outbox.backlog;
    return waiting.items === 12 && waiting.bytes > 12 * 80;
  });
  dead.outbox.stop();
  core.up = true;
  const node = new Node(core);
  // Somebody who has died since began to send each of them on.
  const began = NodeId.parse("testing-999");
  for (const stream of await node.streams.list()) {
    assert.ok(await node.streams.reserve(stream, began, 600_000));
  }
  const orphans = new OrphanStreams({
    nodeId: node.id,
    outbox: node.outbox,
    streams: node.streams,
    clock: systemClock,
    log,
  });
  running.push(orphans);
  orphans.start();
  await until("it is known to be empty", () => core.drained.includes(dead.id));
  for (const player of somebody) assert.deepEqual(core.fields(player, "stats"), { kills: 1 });
  assert.deepEqual(core.drained, [dead.id]);
  await until("none is left", async () => (await node.streams.list()).length === 0);
});

test("at the limit a change is refused before it has any effect; a release is taken", async () => {
  const core = new MemoryCore();
  core.up = false;
  const node = new Node(core, { items: 3 });
  const four = Array.from({ length: 4 }, newPlayer);
  for (const player of four.slice(0, 3)) {
    node.outbox.requireRoom();
    node.change(player, { set: { a: 1 } });
  }
  assert.throws(
    () => node.outbox.requireRoom(),
    (error) => isFailure(error, "outbox_full"),
  );
  const [ada] = four;
  assert.ok(ada);
  node.outbox.add({ playerId: ada, stateEpoch: [1, 1], release: true }, 50, 0);
  core.up = true;
  assert.ok(await node.drained());
  node.outbox.requireRoom();
  assert.equal(core.owners.get(ada)?.standing, "released");
});

test("a core of a higher term has every owner write anew", async () => {
  const core = new MemoryCore();
  const node = new Node(core);
  const ada = newPlayer();
  node.change(ada, { set: { a: 1 } });
  assert.ok(await node.drained());
  core.coreTerm = 3;
  node.change(ada, { set: { a: 2 } });
  assert.ok(await node.drained());
  assert.equal(node.rewrites, 1);
});

test("what somebody else wrote into a stream ends it there, and the node tells", async () => {
  const core = new MemoryCore();
  const node = new Node(core);
  const producerId = producerIdOf({ ...node, name: "testing-999/0", incarnation: 1 } as never);
  await node.streams.open(producerId);
  const key = outboxKey(regionId, producerId);
  const item = { playerId: newPlayer(), stateEpoch: [1, 1], collection: "stats", format: 1 };
  await redis.outbox.redis.xadd(key, "1-0", "items", JSON.stringify([{ ...item, set: { a: 1 } }]));
  await redis.outbox.redis.xadd(key, "2-0", "items", '[{"nonsense":true}]');
  const { entries, unreadable } = await node.streams.read(producerId);
  assert.deepEqual([entries.length, unreadable], [1, true]);
});
