import assert from "node:assert/strict";
import { test } from "node:test";
import { plain, regionOf } from "../gslb/regions.testkit.ts";
import { seatReports } from "./headroom.ts";

const regions = ["beijing", "shanghai", "tokyo"].map((id) =>
  regionOf({ ...plain, id, connected: 60 }),
);

test("each of three regions that are alike keeps a third of its seats", () => {
  const reports = [...seatReports(regions, "n+1").values()];
  assert.deepEqual(
    reports,
    regions.map(() => ({ all: 40, limited: 6, limit: 66 })),
  );
});

test("a region of which nothing was heard since Redis was lost lets nobody in", () => {
  const [first, ...others] = regions;
  assert.ok(first);
  const heard = (receivedMs: number) =>
    new Map([...first.nodes].map(([id, node]) => [id, { ...node, receivedMs }]));
  const lostAtMs = 1_000;
  const at = (receivedMs: number) =>
    seatReports([{ ...first, nodes: heard(receivedMs) }, ...others], 0, lostAtMs);
  assert.equal(at(lostAtMs).has(first.spec.id), false);
  assert.equal(at(lostAtMs + 1).get(first.spec.id)?.all, 40);
});
