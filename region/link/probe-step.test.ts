import assert from "node:assert/strict";
import { test } from "node:test";
import { RegionId } from "../../shared/ids.ts";
import {
  FAILURES_MAX,
  followPeers,
  nearestFirst,
  nextPeer,
  type ProbeState,
  peerAnswered,
  peerFailed,
  REST_MAX_MS,
  REST_MS,
  roundTripsMs,
  SAMPLES_MAX,
} from "./probe-step.ts";

const id = (name: string) => RegionId.parse(name);
const SELF = id("mumbai");
const NONE: ProbeState = new Map();
const at = (name: string, linkAddress = `${name}.test:1`) => ({ regionId: id(name), linkAddress });
const all = ["dubai", "london", "mumbai", "sydney", "tokyo"].map((name) => at(name));

/** Whose turns come, one each second, when everybody answers but these. */
function turns(count: number, silent: readonly string[] = []): string[] {
  let state = followPeers(NONE, all, SELF);
  const found: string[] = [];
  for (let nowMs = 0; nowMs < count * 1_000; nowMs += 1_000) {
    const peer = nextPeer(state, nowMs);
    found.push(peer?.regionId ?? "nobody");
    if (!peer) continue;
    state = silent.includes(peer.regionId)
      ? peerFailed(state, peer.regionId, nowMs)
      : peerAnswered(state, peer.regionId, 10, nowMs);
  }
  return found;
}

test("each other region has its turn; the first is the one behind oneself", () => {
  assert.deepEqual(turns(6), ["sydney", "tokyo", "dubai", "london", "sydney", "tokyo"]);
});

test("a region that is silent rests longer and longer, and the others have its turns", () => {
  const found = turns(600, ["tokyo"]);
  const tried = found.flatMap((name, second) => (name === "tokyo" ? [second] : []));
  const gaps = tried.slice(1).map((second, n) => second - (tried[n] ?? 0));
  assert.deepEqual(gaps.slice(0, 4), [5, 10, 20, 40]);
  assert.ok(gaps.slice(4).every((gap) => gap === REST_MAX_MS / 1_000));
  assert.ok(!found.includes("nobody"));
  assert.ok(turns(60, ["dubai", "london", "sydney", "tokyo"]).includes("nobody"));
});

test("the lower median of the last samples is told, in tenths", () => {
  const peer = id("tokyo");
  let state = followPeers(NONE, all, SELF);
  const told = (ms: number) => {
    state = peerAnswered(state, peer, ms, 0);
    return roundTripsMs(state)[peer];
  };
  assert.deepEqual([90, 10.04, 50, 20].map(told), [90, 10, 50, 20]);
  assert.equal(told(70), 50);
  for (let n = 0; n < SAMPLES_MAX; n += 1) told(7);
  assert.deepEqual(roundTripsMs(state), { tokyo: 7 }, "old ones are forgotten");
});

test("a region that failed a few times in a row has no round trip, until it answers", () => {
  const peer = id("tokyo");
  let state = peerAnswered(followPeers(NONE, all, SELF), peer, 10, 0);
  for (let n = 1; n < FAILURES_MAX; n += 1) state = peerFailed(state, peer, 0);
  assert.equal(roundTripsMs(state)[peer], 10, "an accident changes nothing");
  state = peerFailed(state, peer, 0);
  assert.deepEqual(roundTripsMs(state), {});
  state = peerAnswered(state, peer, 30, 0);
  assert.deepEqual([state.get(peer)?.failures, roundTripsMs(state)[peer]], [0, 30]);
});

test("who moves keeps what was measured and is due at once; who is gone is forgotten", () => {
  const peer = id("tokyo");
  let state = peerAnswered(followPeers(NONE, all, SELF), peer, 10, 0);
  state = peerFailed(state, peer, 0);
  const same = followPeers(state, [at("tokyo")], SELF);
  assert.equal(nextPeer(same, REST_MS - 1), undefined, "it rests");
  const moved = followPeers(state, [at("tokyo", "other.test:1")], SELF);
  assert.equal(nextPeer(moved, 1)?.linkAddress, "other.test:1");
  assert.deepEqual(roundTripsMs(moved), { tokyo: 10 });
  const gone = followPeers(state, [at("dubai")], SELF);
  assert.deepEqual([...gone.keys()], ["dubai"]);
  assert.equal(peerAnswered(gone, peer, 1, 0), gone, "its late answer too");
  assert.equal(peerFailed(gone, peer, 0), gone);
});

test("the nearest come first, those nobody measured behind them, and those that failed last", () => {
  let state = followPeers(NONE, all, SELF);
  state = peerAnswered(state, id("tokyo"), 120, 0);
  state = peerAnswered(state, id("dubai"), 30, 0);
  state = peerFailed(state, id("sydney"), 0);
  const order = () => nearestFirst(state).map(({ regionId }) => regionId);
  assert.deepEqual(order(), ["dubai", "tokyo", "london", "sydney"]);
  state = peerFailed(state, id("dubai"), 1_000);
  state = peerFailed(state, id("dubai"), 2_000);
  assert.deepEqual(order(), ["tokyo", "london", "sydney", "dubai"]);
});
