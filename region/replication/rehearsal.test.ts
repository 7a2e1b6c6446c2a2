import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setImmediate as breath } from "node:timers/promises";
import { schema, t } from "@colyseus/schema";
import { FakeClock } from "../../shared/fake-clock.ts";
import { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics, type Metrics } from "../../shared/metrics.ts";
import { RoomHost } from "../rooms/room-host.testkit.ts";
import type { StateClass } from "../rooms/snapshot-schema.ts";
import { type CopyKey, CopyStore } from "./copy-store.ts";
import { Rehearsal } from "./rehearsal.ts";
import { inSlices } from "./slices.ts";

const State = schema({ round: t.uint16().default(0) }, "State");
type State = InstanceType<typeof State>;
const Other = schema({ round: t.string().default("") }, "Other");
const Large = schema({ text: t.string().default("") }, "Large");
const game = GameName.parse("field");
const keyOf = (n: number): CopyKey => ({
  roomId: RoomId.parse(`room-${n}`),
  ofNode: NodeId.parse("owner-1"),
  passedBy: undefined,
});

let clock: FakeClock;
let store: CopyStore;
let metrics: Metrics;
let states: Map<GameName, StateClass>;
let rehearsal: Rehearsal;
beforeEach(() => {
  clock = new FakeClock();
  store = new CopyStore({ roomsMax: 10, bytesMax: 1024 * 1024 });
  metrics = createMetrics({ process: "region" });
  states = new Map([[game, State]]);
  rehearsal = new Rehearsal({
    store,
    stateOf: (name) => states.get(name),
    slice: inSlices(clock),
    clock,
    log: createLog("region", "silent"),
    metrics,
  });
  rehearsal.start();
});

/** A room whose frames the store gets; each call is one more. */
function copied(n: number): () => ReturnType<CopyStore["frame"]> {
  const key = keyOf(n);
  const feeder = {};
  const host = new RoomHost(State);
  store.open({ ...key, game, roomEpoch: [1, 1] }, feeder);
  return () => {
    (host.state as State).round += 1;
    return store.frame(key, feeder, host.patch(), 0);
  };
}

async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    clock.advance(100);
    for (let turn = 0; turn < 10; turn += 1) await breath();
  }
}

async function count(outcome: string): Promise<number> {
  const metric = await metrics.getSingleMetric("meridian_region_rehearsals_total")?.get();
  return metric?.values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0;
}

test("copies are restored often at first, then now and then; none, where there is none", async () => {
  await pass(5_000);
  assert.equal(await count("good"), 0);
  const frames = [copied(1), copied(2)];
  for (const frame of frames) assert.equal(frame(), "kept");
  await pass(15_000);
  const early = await count("good");
  assert.ok(early >= 20 && early <= 21, `${early}`);
  await pass(60_000);
  const later = (await count("good")) - early;
  assert.ok(later >= 3 && later <= 4, `${later}`);
  assert.equal(await count("bad"), 0);
  rehearsal.stop();
  assert.equal(clock.pending, 0);
});

test("of a copy that no room can be made of a whole frame is asked, once", async () => {
  const frame = copied(1);
  assert.equal(frame(), "kept");
  assert.equal(frame(), "kept");
  states.set(game, Other);
  await pass(600);
  assert.equal(await count("bad"), 1);
  states.set(game, State);
  assert.equal(frame(), "again");
  assert.equal(frame(), "kept", "until then there is nothing to add to");
  rehearsal.stop();
});

test("the copy of a large room is left alone", async () => {
  const host = new RoomHost(Large);
  const feeder = {};
  store.open({ ...keyOf(1), game, roomEpoch: [1, 1] }, feeder);
  (host.state as InstanceType<typeof Large>).text = "x".repeat(100_000);
  states.set(game, Large);
  assert.equal(store.frame(keyOf(1), feeder, host.patch(), 0), "kept");
  await pass(3_000);
  assert.equal((await count("good")) + (await count("bad")), 0);
  rehearsal.stop();
});

test("all copies have their turn", () => {
  for (const n of [1, 2, 3]) copied(n)();
  copied(4);
  const turns = Array.from({ length: 6 }, () => store.inTurn()?.roomId);
  assert.deepEqual(turns.slice(0, 3), turns.slice(3));
  assert.equal(new Set(turns).size, 3, "one without a frame is none");
  rehearsal.stop();
});
