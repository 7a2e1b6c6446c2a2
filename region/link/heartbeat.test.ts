/** Heartbeats over a real link to a core that answers as it is told; the node's time stands still. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import type { Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { RegionId, RoomId } from "../../shared/ids.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { LEASE_MS, type Peers } from "../../shared/protocol/link.ts";
import { KeySet } from "../transport/key-set.ts";
import { until } from "../transport/test-tickets.ts";
import { Heartbeats, type PeerFollower, type Report } from "./heartbeat.ts";
import { noPeers, straightWay, TEST_REPORT, TestCore } from "./test-core.ts";

let core: TestCore;
let client: LinkClient;
let clock: FakeClock;
let heartbeats: Heartbeats;
const superseded: unknown[] = [];
const fenced: Epoch[] = [];
const terms: number[] = [];
let state: Report["state"] = "active";
let follower: PeerFollower = noPeers;

before(async () => {
  core = await TestCore.start();
});
beforeEach(() => {
  client = new LinkClient(core.regionIdentity);
  clock = new FakeClock();
  heartbeats = new Heartbeats({
    client,
    coreAddress: core.address,
    keys: new KeySet(),
    report: () => ({ ...TEST_REPORT, state }),
    feed: { place: undefined, hear() {} },
    get peers() {
      return follower;
    },
    way: straightWay,
    onWanted() {},
    onFenced: (epoch) => fenced.push(epoch),
    onCoreTerm: (term) => terms.push(term),
    onSuperseded: (error) => superseded.push(error),
    clock,
    log: createLog("region", "silent"),
    metrics: createMetrics({}),
  });
});
afterEach(async () => {
  core.heartbeatFailure = undefined;
  await heartbeats.stop();
  await client.stop();
  core.heartbeats.length = 0;
  superseded.length = 0;
  fenced.length = 0;
  core.wanted = "active";
  core.regionEpoch = [1, 1];
  core.heartbeatsHeld = undefined;
  state = "active";
});
after(() => core.stop());

test("the core's word that a newer life is known is final, and told once", async () => {
  heartbeats.start();
  await until(() => heartbeats.leaseHeld, "the lease");
  core.heartbeatFailure = new MeridianError("stale_incarnation");
  clock.advance(500);
  await until(() => superseded.length > 0, "the refusal");
  assert.equal(heartbeats.leaseHeld, false, "no seat is granted any more");
  assert.equal(clock.pending, 0, "no heartbeat follows");
  heartbeats.endedRooms.add(RoomId.parse("room"));
  await heartbeats.beat();
  await heartbeats.stop();
  assert.equal(superseded.length, 1);
});

test("each answer tells the core's term", async () => {
  terms.length = 0;
  await heartbeats.beat();
  core.coreTerm = 7;
  await heartbeats.beat();
  assert.deepEqual(terms, [1, 7]);
  core.coreTerm = 1;
});

test("what is measured is told, and other peers are heard of once", async () => {
  const regionId = RegionId.parse("beijing");
  const peers: Peers = { version: "v2", regions: [{ regionId, linkAddress: "127.0.0.1:3" }] };
  const heardOf: Peers[] = [];
  core.peers = peers;
  follower = {
    get version() {
      return heardOf.at(-1)?.version ?? "";
    },
    roundTripsMs: { [regionId]: 20.5 },
    hear: (news) => heardOf.push(news),
  };
  await heartbeats.beat();
  await heartbeats.beat();
  follower = noPeers;
  await heartbeats.beat();
  assert.deepEqual(heardOf, [peers]);
  assert.deepEqual(
    core.heartbeats.map(({ peersVersion, probes }) => [peersVersion, probes]),
    [
      ["", { beijing: 20.5 }],
      ["v2", { beijing: 20.5 }],
      [undefined, undefined],
    ],
  );
  core.peers = undefined;
});

test("what is announced while a heartbeat is under way is told by the next, at once", async () => {
  const underWay = heartbeats.beat();
  state = "draining";
  await heartbeats.announce();
  await underWay;
  assert.deepEqual(
    core.heartbeats.map((heartbeat) => heartbeat.state),
    ["active", "draining"],
  );
});

test("the lease runs from the sending of an answered heartbeat, and is lost without answers", async () => {
  const sending = heartbeats.beat();
  clock.advance(100);
  await sending;
  clock.advance(LEASE_MS - 101);
  assert.equal(heartbeats.leaseHeld, true);
  core.heartbeatFailure = new MeridianError("unavailable");
  await heartbeats.beat();
  assert.equal(heartbeats.leaseHeld, true);
  clock.advance(1);
  assert.equal(heartbeats.leaseHeld, false);
  core.heartbeatFailure = undefined;
  await heartbeats.beat();
  assert.equal(heartbeats.leaseHeld, true);
});

test("core time is the core's, whatever the clock here says, and goes on without answers", async () => {
  assert.equal(heartbeats.coreNowMs(), undefined);
  core.aheadMs = 3_600_000;
  await heartbeats.beat();
  core.aheadMs = 0;
  const ahead = (heartbeats.coreNowMs() ?? 0) - Date.now();
  assert.ok(ahead > 3_590_000 && ahead <= 3_600_000, `${ahead}`);
  const earlier = heartbeats.coreNowMs() ?? 0;
  clock.advance(5_000);
  assert.equal(heartbeats.coreNowMs(), earlier + 5_000);
});

test("rooms that ended are reported until the core has heard of them, also at the stop", async () => {
  const reported = () => core.heartbeats.map(({ endedRooms }) => endedRooms.join());
  heartbeats.endedRooms.add(RoomId.parse("one"));
  core.heartbeatFailure = new MeridianError("unavailable");
  await heartbeats.beat();
  core.heartbeatFailure = undefined;
  await heartbeats.beat();
  await heartbeats.beat();
  heartbeats.endedRooms.add(RoomId.parse("two"));
  await heartbeats.stop();
  await heartbeats.stop();
  assert.deepEqual(reported(), ["one", "", "two"]);
});

test("a fence ends the lease at once, and what ran before once; after it the node serves anew", async () => {
  await heartbeats.beat();
  assert.deepEqual(heartbeats.regionEpoch, [1, 1]);
  core.wanted = "fenced";
  core.regionEpoch = [1, 2];
  heartbeats.fence([1, 2]);
  assert.equal(heartbeats.leaseHeld, false);
  for (let beat = 0; beat < 3; beat += 1) await heartbeats.beat();
  assert.deepEqual(fenced, [[1, 2]]);
  assert.deepEqual([heartbeats.fenced, heartbeats.leaseHeld], [true, false]);
  core.wanted = "active";
  await heartbeats.beat();
  assert.deepEqual([heartbeats.fenced, heartbeats.leaseHeld], [false, true]);
  assert.deepEqual(core.heartbeats.at(-1)?.regionEpoch, [1, 2]);
  assert.deepEqual(fenced, [[1, 2]]);
});

test("a fence that came and went while the core was away ends what ran before", async () => {
  await heartbeats.beat();
  core.regionEpoch = [2, 2];
  await heartbeats.beat();
  assert.deepEqual(fenced, [[2, 2]]);
  assert.equal(
    heartbeats.leaseHeld,
    false,
    "nothing is granted before all of the former life is over",
  );
  await heartbeats.beat();
  assert.deepEqual([heartbeats.fenced, heartbeats.leaseHeld], [false, true]);
});

test("an answer from before the fence does not bring the lease back", async () => {
  await heartbeats.beat();
  let answer = (): void => {};
  core.heartbeatsHeld = new Promise((resolve) => {
    answer = resolve;
  });
  const underWay = heartbeats.beat();
  await until(() => core.heartbeats.length === 2, "the heartbeat is at the core");
  heartbeats.fence([1, 2]);
  answer();
  await underWay;
  assert.deepEqual([heartbeats.fenced, heartbeats.leaseHeld], [true, false]);
  assert.deepEqual(heartbeats.regionEpoch, [1, 2]);
});
