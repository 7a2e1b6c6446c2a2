/** Operations over a real link: until the outcome is known, under one id, and not at all without a lease. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { NodeId, RoomId } from "../../shared/ids.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import type { ReaffirmRoomsRequest } from "../../shared/protocol/link.ts";
import { ValueOp } from "../../shared/protocol/value.ts";
import { until } from "../../test/until.ts";
import { TestCore } from "../link/test-core.ts";
import { ValueLink } from "./value-link.ts";

const room = { roomId: RoomId.parse("room"), roomEpoch: [1, 1] as const };
const op = ValueOp.parse({
  id: "room/round-1/ada",
  changes: [
    {
      kind: "credit",
      playerId: "0190f2a0-0000-7000-8000-000000000001",
      currency: "coin",
      amount: 3,
    },
  ],
});
/** A thousand calls over TLS, each tried again after 3 s, on a machine that is busy with other tests. */
const SLOW_MS = 60_000;
const STALLED_MS = 1_000;
const committed = { outcome: "committed", opSeq: 1, wallets: [] };

let core: TestCore;
let client: LinkClient;
let clock: FakeClock;
let metrics: ReturnType<typeof createMetrics>;
let link: ValueLink;
let lease = true;
const rooms: ReaffirmRoomsRequest["rooms"] = [];

before(async () => {
  core = await TestCore.start();
});
beforeEach(() => {
  lease = true;
  client = new LinkClient(core.regionIdentity);
  clock = new FakeClock();
  metrics = createMetrics({});
  link = new ValueLink({
    client,
    coreAddress: core.address,
    nodeId: NodeId.parse("testing-1"),
    leaseHeld: () => lease,
    rooms: () => rooms,
    clock,
    random: () => 0.5,
    log: createLog("region", "silent"),
    metrics,
  });
});
afterEach(async () => {
  core.valueOps.length = 0;
  core.valueFailures.length = 0;
  link.stop();
  await client.stop();
});
after(() => core.stop());

async function outcome(name: string): Promise<number> {
  const metric = await metrics.getSingleMetric("meridian_region_value_ops_total")?.get();
  return metric?.values.find(({ labels }) => labels.outcome === name)?.value ?? 0;
}

test("an operation is sent with its room, and its outcome comes back", async () => {
  assert.deepEqual(await link.apply(room, op), committed);
  assert.deepEqual(core.valueOps, [{ ...room, nodeId: "testing-1", op }]);
  assert.equal(await outcome("committed"), 1);
});

test("while the outcome is unknown it is asked for again, under the same id", async () => {
  core.valueFailures.push(
    new MeridianError("unavailable"),
    new MeridianError("timeout"),
    new MeridianError("internal"),
  );
  const answer = link.apply(room, op);
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await until("the pause", () => clock.pending > 0 && core.valueOps.length === attempt);
    // A lost lease holds up nothing that was sent.
    lease = false;
    clock.advance(2_000);
  }
  assert.deepEqual(await answer, committed);
  assert.deepEqual(new Set(core.valueOps.map((request) => request.op.id)), new Set([op.id]));
  assert.equal(await outcome("retried"), 3);
});

test("a refusal that is final is not asked for again", async () => {
  for (const kind of ["fenced", "conflict", "forbidden"] as const) {
    core.valueFailures.push(new MeridianError(kind));
    await assert.rejects(link.apply(room, op), (error) => isFailure(error, kind));
  }
  assert.equal(core.valueOps.length, 3);
});

test("without a lease nothing is sent, and the game learns it at once", async () => {
  lease = false;
  await assert.rejects(link.apply(room, op), (error) => isFailure(error, "unavailable"));
  assert.equal(core.valueOps.length, 0);
  assert.equal(await outcome("not_sent"), 1);
});

test("a bounded number is under way; the next one fails at once", async () => {
  let letGo = () => {};
  core.valueHeld = new Promise((resolve) => {
    letGo = resolve;
  });
  const all = Array.from({ length: 1_000 }, () => link.apply(room, op));
  await assert.rejects(link.apply(room, op), /Too many operations/);
  core.valueHeld = undefined;
  letGo();
  let known = 0;
  for (const one of all) void one.then(() => (known += 1));
  let newest = { known, atMs: systemClock.monotonicMs() };
  const settled = () => {
    const atMs = systemClock.monotonicMs();
    if (known > newest.known) newest = { known, atMs };
    // A slow machine lets some of them meet their deadline: those are asked for again, once no answers come.
    else if (atMs - newest.atMs > STALLED_MS) clock.advance(2_000);
    return known === all.length;
  };
  await until("all outcomes", settled, SLOW_MS);
  assert.deepEqual(await link.apply(room, op), committed);
});
