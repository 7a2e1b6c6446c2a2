/** A core whose term rises gets again what it committed, before anything new, over a real link. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { MeridianError } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { AGAIN_OPS_MAX, ValueOp } from "../../shared/protocol/value.ts";
import { TestCore } from "../link/test-core.ts";
import { until } from "../transport/test-tickets.ts";
import { KEPT_CHANGES_MAX, KEPT_MS, KeptOps } from "./kept-ops.ts";
import { ValueLink } from "./value-link.ts";

const roomId = RoomId.parse("room");
const room = { roomId, roomEpoch: [1, 1] as const };
const held = { ...room, game: GameName.parse("arena"), opSeq: 3 };

function op(cause: string): ValueOp {
  const playerId = "0190f2a0-0000-7000-8000-000000000001";
  const change = { kind: "credit", playerId, currency: "coin", amount: 3 };
  return ValueOp.parse({ id: `room/${cause}/ada`, changes: [change] });
}

let core: TestCore;
let client: LinkClient;
let clock: FakeClock;
let link: ValueLink;
let metrics: ReturnType<typeof createMetrics>;

before(async () => {
  core = await TestCore.start();
});
beforeEach(() => {
  client = new LinkClient(core.regionIdentity);
  clock = new FakeClock();
  metrics = createMetrics({});
  link = new ValueLink({
    client,
    coreAddress: core.address,
    nodeId: NodeId.parse("testing-1"),
    leaseHeld: () => true,
    rooms: () => [held],
    clock,
    random: () => 0.5,
    log: createLog("region", "silent"),
    metrics,
  });
  link.termSeen(1);
});
afterEach(async () => {
  for (const list of [core.valueOps, core.valueAgain, core.reaffirmed]) list.length = 0;
  core.againOutcomes.clear();
  core.valueHeld = undefined;
  link.stop();
  await client.stop();
});
after(() => core.stop());

async function outcome(name: string): Promise<number> {
  const metric = await metrics.getSingleMetric("meridian_region_value_ops_total")?.get();
  return metric?.values.find(({ labels }) => labels.outcome === name)?.value ?? 0;
}

const sentAgain = () => core.valueAgain.flatMap(({ ops }) => ops.map((one) => one.op.id));

test("nothing is sent again to the core that committed it", async () => {
  await link.apply(room, op("one"));
  link.termSeen(1);
  await link.apply(room, op("two"));
  assert.deepEqual([sentAgain(), core.reaffirmed], [[], []]);
  assert.deepEqual(
    core.valueOps.map(({ coreTerm }) => coreTerm),
    [1, 1],
  );
});

test("after the rise rooms are told, all is sent again in its order, and only then what is new", async () => {
  const first = Array.from({ length: AGAIN_OPS_MAX + 6 }, (_, n) => op(`n-${n}`));
  for (const one of first) await link.apply(room, one);
  core.valueOps.length = 0;
  core.againFailures.push(new MeridianError("unavailable"));
  link.termSeen(2);
  const later = link.apply(room, op("later"));
  await until(() => core.valueAgain.length === 1 && clock.pending > 0, "the first try");
  assert.deepEqual(core.valueOps, []);
  clock.advance(500);
  await later;
  assert.deepEqual(core.reaffirmed, [{ nodeId: "testing-1", rooms: [held] }]);
  const ids = first.map(({ id }) => id);
  assert.deepEqual(sentAgain(), [...ids.slice(0, AGAIN_OPS_MAX), ...ids]);
  assert.ok(core.valueAgain.every(({ coreTerm }) => coreTerm === 2));
  assert.deepEqual(
    core.valueOps.map(({ op: { id }, coreTerm }) => [id, coreTerm]),
    [["room/later/ada", 2]],
  );
  link.termSeen(3);
  await until(
    () => sentAgain().length === AGAIN_OPS_MAX + ids.length + ids.length + 1,
    "the third",
  );
});

test("an answer of the former core that comes late is sent again, too", async () => {
  let letGo = () => {};
  core.valueHeld = new Promise((resolve) => {
    letGo = resolve;
  });
  const late = link.apply(room, op("late"));
  await until(() => core.valueOps.length === 1, "the operation");
  link.termSeen(2);
  await until(() => core.reaffirmed.length === 1, "the rooms");
  assert.deepEqual(sentAgain(), []);
  letGo();
  await late;
  await until(() => sentAgain().length === 1, "it once more");
});

test("what can't be carried out now is tried again in the background, then lost", async () => {
  await link.apply(room, op("poor"));
  core.againOutcomes.set("room/poor/ada", "refused");
  link.termSeen(2);
  await link.apply(room, op("new"));
  let tries = 0;
  await until(() => {
    tries += 1;
    clock.advance(2_000);
    return sentAgain().length === 16;
  }, "all tries");
  assert.ok(tries > 0);
  while ((await outcome("lost")) === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(clock.pending, 0);
  assert.equal(await outcome("again_refused"), 16);
});

test("what is kept is bounded by age and by number", () => {
  const kept = new KeptOps();
  const add = (n: number, nowMs: number) => {
    kept.add({ roomId, opSeq: n + 1, op: op(`n-${n}`), coreTerm: 1 }, nowMs);
  };
  add(0, 0);
  add(1, KEPT_MS);
  assert.deepEqual([kept.count, kept.hasBefore(2), kept.hasBefore(1)], [1, true, false]);
  const many = ValueOp.parse({ id: "room/many/ada", changes: Array(64).fill(op("x").changes[0]) });
  const fit = Math.floor(KEPT_CHANGES_MAX / 64);
  for (let n = 0; n < fit + 10; n += 1) {
    kept.add({ roomId, opSeq: 1, op: many, coreTerm: 1 }, KEPT_MS);
  }
  assert.equal(kept.count, fit);
  assert.equal(kept.takeBefore(2).length, fit);
  assert.equal(kept.count, 0);
});
