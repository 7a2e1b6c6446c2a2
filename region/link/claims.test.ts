/** Claims over a real link: granted, retried under one id, refused for good, given up. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { OpId } from "../../shared/protocol/value.ts";
import { until } from "../transport/test-tickets.ts";
import { Claims } from "./claims.ts";
import { TestCore } from "./test-core.ts";

const roomId = RoomId.parse("room");
const game = GameName.parse("arena");
const nodeId = NodeId.parse("testing-1");
/** Longer than any wait between attempts, shorter than a claim's deadline. */
const PAUSE_MS = 1_000;

let core: TestCore;
let client: LinkClient;
let clock: FakeClock;
let metrics: ReturnType<typeof createMetrics>;
let ended: AbortController;

before(async () => {
  core = await TestCore.start();
});
beforeEach(() => {
  client = new LinkClient(core.regionIdentity);
  clock = new FakeClock();
  metrics = createMetrics({});
  ended = new AbortController();
});
afterEach(async () => {
  core.claims.length = 0;
  core.claimFailures.length = 0;
  assert.equal(clock.pending, 0);
  await client.stop();
});
after(() => core.stop());

/** The epoch, or the kind of the failure. */
function claim(): Promise<unknown> {
  const coreAddress = core.address;
  const claims = new Claims({
    client,
    coreAddress,
    nodeId,
    regionEpoch: () => [1, 1],
    clock,
    random: () => 0.5,
    metrics,
  });
  return claims.claim({ roomId, game }, ended.signal).then(
    ({ roomEpoch }) => roomEpoch,
    (error: unknown) => {
      assert.ok(isFailure(error));
      return error.kind;
    },
  );
}

async function outcome(name: string): Promise<number> {
  const metric = await metrics.getSingleMetric("meridian_region_claims_total")?.get();
  return metric?.values.find(({ labels }) => labels.outcome === name)?.value ?? 0;
}

/** The next attempt's time has come. */
async function attemptAfterPause(attempt: number): Promise<void> {
  await until(() => clock.pending > 0, "the pause");
  clock.advance(PAUSE_MS);
  await until(() => core.claims.length === attempt, `attempt ${attempt}`);
}

test("a claim that fails for now is tried again under the same id, and granted", async () => {
  core.claimFailures.push(new MeridianError("unavailable"), new MeridianError("timeout"));
  const claimed = claim();
  await attemptAfterPause(2);
  await attemptAfterPause(3);
  assert.deepEqual(await claimed, [1, 3]);
  assert.equal(new Set(core.claims.map(({ claimId }) => claimId)).size, 1);
  assert.deepEqual([await outcome("retried"), await outcome("granted")], [2, 1]);
});

test("what a restored room has missed comes with the answer, and the rest after it", async () => {
  const id = (n: number) => OpId.parse(`room/cause-${n}/ada`);
  core.roomOps.push(
    { ops: [{ opSeq: 8, id: id(8), changes: [] }], upTo: 8, more: true },
    { ops: [{ opSeq: 9, id: id(9), changes: [] }], upTo: 11, more: false },
  );
  const claims = new Claims({
    client,
    coreAddress: core.address,
    nodeId,
    regionEpoch: () => [1, 1],
    clock,
    random: () => 0.5,
    metrics,
  });
  const granted = await claims.claim({ roomId, game, opSeq: 7 }, ended.signal);
  assert.equal(core.claims[0]?.opSeq, 7);
  assert.deepEqual(core.roomOpsAsked, [{ nodeId, roomId, roomEpoch: [1, 1], opSeq: 8 }]);
  assert.deepEqual(
    granted.roomOps.map(({ upTo }) => upTo),
    [8, 11],
  );
});

test("a refusal is final", async () => {
  core.claimFailures.push(new MeridianError("fenced"));
  assert.equal(await claim(), "fenced");
  assert.equal(core.claims.length, 1);
  assert.equal(await outcome("fenced"), 1);
});

test("without an answer it is given up at the deadline, with the last failure", async () => {
  const failures = Array.from({ length: 100 }, () => new MeridianError("unavailable"));
  core.claimFailures.push(...failures);
  let over = false;
  const claimed = claim().finally(() => {
    over = true;
  });
  await until(() => {
    if (clock.pending > 0) clock.advance(PAUSE_MS);
    return over;
  }, "the end");
  assert.equal(await claimed, "unavailable");
  assert.ok(clock.monotonicMs() >= 9_000 && clock.monotonicMs() <= 10_000);
  assert.equal(await outcome("unavailable"), 1);
});

test("when the room has ended it is not tried again", async () => {
  core.claimFailures.push(new MeridianError("unavailable"), new MeridianError("unavailable"));
  const claimed = claim();
  await until(() => clock.pending > 0, "the pause");
  ended.abort();
  assert.equal(await claimed, "unavailable");
  assert.ok(core.claims.length <= 2);
  assert.equal(await outcome("abandoned"), 1);
});
