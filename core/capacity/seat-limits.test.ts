import assert from "node:assert/strict";
import { test } from "node:test";
import { seatReports } from "../admission/headroom.ts";
import { candidateOf } from "../gslb/candidates.ts";
import { plain, regionOf } from "../gslb/regions.testkit.ts";
import { chooseNode, freeOffered, freeSeats, offeredSeats } from "../regions/region-view.ts";
import { type CapacityLimit, seatLimitFor, seatLimitsOf } from "./seat-limits.ts";

const region = regionOf({ ...plain, connected: 40 });
const { id: regionId } = region.spec;
const [node] = region.nodes.values();
assert.ok(node);

let ids = 0;
function limit(build: string, playersPerNode: number, measuredAtMs: number): CapacityLimit {
  ids += 1;
  const said = { hardware: "2 cores", serviceLevel: "joins within 1 s", evidence: null };
  return {
    id: ids,
    regionId,
    playersPerNode,
    build,
    measuredAtMs,
    ...said,
    storedAtMs: 0,
    storedBy: "",
  };
}

test("the newest measurement of a build counts for it, the region's last one for builds without", () => {
  const limits = seatLimitsOf([limit("a", 100, 1), limit("a", 80, 3), limit("b", 60, 2)], 0.1);
  const own = limits.get(regionId);
  assert.deepEqual(seatLimitFor(own, "a"), { seats: 72, measured: true });
  assert.deepEqual(seatLimitFor(own, "b"), { seats: 54, measured: true });
  assert.deepEqual(seatLimitFor(own, "c"), { seats: 72, measured: false });
  assert.equal(seatLimitFor(undefined, "a"), undefined);
  const sameMoment = seatLimitsOf([limit("a", 100, 1), limit("a", 50, 1)], 0).get(regionId);
  assert.equal(sameMoment?.last.seats, 50, "what was stored later");
});

test("a node offers what it says and no more than was measured; a limit that is tiny still lets one in", () => {
  const of = (players: number) => ({
    ...region,
    limits: seatLimitsOf([limit("test", players, 1)], 0.15).get(regionId),
  });
  assert.equal(offeredSeats(region, node), 100, "nothing was measured");
  assert.equal(offeredSeats(of(1_000), node), 100);
  assert.equal(offeredSeats(of(60), node), 51);
  assert.equal(freeOffered(of(60), node), 11);
  assert.equal(offeredSeats(of(1), node), 1);
});

test("below who plays already nothing is taken: nobody new comes, and failover asks the node itself", () => {
  const limits = seatLimitsOf([limit("test", 20, 1)], 0).get(regionId);
  const limited = { ...region, limits };
  assert.equal(freeOffered(limited, node), 0);
  assert.equal(freeSeats(node), 60);
  assert.deepEqual(seatReports([limited], 0).get(regionId), { all: 0, limited: 0, limit: 20 });
  assert.equal(chooseNode(limited, { mode: "joinOrCreate" }), undefined);
  assert.equal(candidateOf(limited, {}).full, true, "players wait in its queue");
  assert.equal(candidateOf(region, {}).full, false);
});
