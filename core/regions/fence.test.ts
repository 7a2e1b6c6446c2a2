/** A fence in a real database: it sees all that was committed, and nothing of the former life comes after. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import { GameName, NodeId, PlayerId, RegionId, RoomId, uuidV7 } from "../../shared/ids.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { ValueOp } from "../../shared/protocol/value.ts";
import { until } from "../../test/until.ts";
import { insertPlayer } from "../accounts/account-store.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { ValueOps } from "../value/value-ops.ts";
import { takeOpSeq } from "../value/value-store.ts";
import { answerClaim } from "./claims.ts";
import { fenceRegion, unfenceRegion } from "./fence.ts";
import { grantFirstEpoch, type RegionClaim, selectRegion } from "./region-store.ts";

const created = await startTestDatabase();
after(() => created.drop());
const { database } = created;
const ops = new ValueOps({ database, clock: systemClock, metrics: createMetrics({}) });
let made = 0;

/** A registered region of the test's own. */
async function newRegion(): Promise<RegionId> {
  made += 1;
  const regionId = RegionId.parse(`region${made}`);
  await grantFirstEpoch(database, regionId, 1);
  return regionId;
}

function claimIn(regionId: RegionId, regionEpoch: Epoch): RegionClaim {
  made += 1;
  return {
    claimId: `claim-${made}-of-test`,
    roomId: RoomId.parse(`room-${made}`),
    game: GameName.parse("arena"),
    nodeId: NodeId.parse(`${regionId}-1`),
    regionEpoch,
    regionId,
  };
}

const claim = (one: RegionClaim, coreTerm = 1) =>
  database.transaction((tx) =>
    answerClaim(tx, one, coreTerm, new Date()).then(({ roomEpoch }) => roomEpoch),
  );
const fence = (regionId: RegionId, coreTerm = 1) =>
  database.transaction((tx) => fenceRegion(tx, regionId, { coreTerm, at: new Date() }));
const unfence = (regionId: RegionId) => database.transaction((tx) => unfenceRegion(tx, regionId));
const isFenced = (error: unknown) => isFailure(error, "fenced");

async function creditIn({ roomId, nodeId }: RegionClaim, roomEpoch: Epoch) {
  made += 1;
  const playerId = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
  await insertPlayer(database, {
    id: playerId,
    name: "Ada",
    ephemeral: false,
    createdAt: new Date(),
  });
  const changes = [{ kind: "credit", playerId, currency: "coin", amount: 5 }];
  return await ops.apply({
    roomId,
    nodeId,
    roomEpoch,
    op: ValueOp.parse({ id: `testing/fence/${made}`, changes }),
  });
}

/** Resolves when some statement waits for a lock, or `done` came first. */
async function blocked(done: Promise<unknown>): Promise<void> {
  let over = false;
  void done.then(() => {
    over = true;
  });
  await until("a lock that is waited for", async () => {
    return over || (await database.rows("select from pg_locks where not granted")).length > 0;
  });
  assert.equal(over, false, "it did not wait");
}

test("a fence ends the region's rooms and no other's; late operations are refused, also after it", async () => {
  const [regionId, other] = [await newRegion(), await newRegion()];
  const mine = claimIn(regionId, [1, 1]);
  const epoch = await claim(mine);
  const theirs = claimIn(other, [1, 1]);
  const theirEpoch = await claim(theirs);
  assert.equal((await creditIn(mine, epoch)).outcome, "committed");

  const outcome = await fence(regionId);
  assert.deepEqual(outcome, { life: { epoch: [1, 2], wanted: "fenced" }, changed: true, rooms: 1 });
  await assert.rejects(creditIn(mine, epoch), isFenced);
  await assert.rejects(claim(mine), isFenced, "the claim sent again");
  await assert.rejects(claim(claimIn(regionId, [1, 2])), isFenced, "a new room");
  assert.equal((await creditIn(theirs, theirEpoch)).outcome, "committed");

  assert.deepEqual(await unfence(regionId), { epoch: [1, 2], wanted: "active" });
  await assert.rejects(creditIn(mine, epoch), isFenced);
  await assert.rejects(claim(claimIn(regionId, [1, 1])), isFenced, "in the life that is over");
  const anew = await claim({ ...mine, claimId: "claim-of-the-next", regionEpoch: [1, 2] });
  assert.deepEqual(anew, [1, 2], "the room's epoch rises with its next claim");
  await assert.rejects(creditIn(mine, epoch), isFenced, "of the former owner still");
  assert.equal((await creditIn(mine, anew)).outcome, "committed");
});

test("a fence waits for an operation under way, and the next one finds the room ended", async () => {
  const regionId = await newRegion();
  const room = claimIn(regionId, [1, 1]);
  const roomEpoch = await claim(room);
  let fencing: Promise<unknown> | undefined;
  await database.transaction(async (tx) => {
    assert.equal((await takeOpSeq(tx, { ...room, roomEpoch }, {})).opSeq, 1);
    fencing = fence(regionId);
    await blocked(fencing);
  });
  assert.deepEqual(await fencing, {
    life: { epoch: [1, 2], wanted: "fenced" },
    changed: true,
    rooms: 1,
  });
  await assert.rejects(creditIn(room, roomEpoch), isFenced);
});

test("a fence ends the room of a claim that it had to wait for", async () => {
  const regionId = await newRegion();
  const late = claimIn(regionId, [1, 1]);
  let fencing: ReturnType<typeof fence> | undefined;
  const epoch = await database.transaction(async (tx) => {
    const { roomEpoch: granted } = await answerClaim(tx, late, 1, new Date());
    fencing = fence(regionId);
    await blocked(fencing);
    return granted;
  });
  assert.equal((await fencing)?.rooms, 1);
  await assert.rejects(creditIn(late, epoch), isFenced);
});

test("a claim that comes while a fence is under way waits for it and is refused", async () => {
  const regionId = await newRegion();
  let claiming: Promise<unknown> | undefined;
  await database.transaction(async (tx) => {
    await fenceRegion(tx, regionId, { coreTerm: 1, at: new Date() });
    claiming = claim(claimIn(regionId, [1, 1])).catch((error: unknown) => error);
    await blocked(claiming);
  });
  assert.ok(isFenced(await claiming));
});

test("of fences that race one raises the epoch; in another term none is granted twice", async () => {
  const regionId = await newRegion();
  const granted = new Set<string>(["1,1"]);
  for (const coreTerm of [1, 1, 3, 3, 4]) {
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => fence(regionId, coreTerm)));
    assert.equal(outcomes.filter(({ changed }) => changed).length, 1);
    const epochs = new Set(outcomes.map(({ life }) => life.epoch.join()));
    assert.equal(epochs.size, 1, "all are told of the same life");
    for (const epoch of epochs) {
      assert.ok(!granted.has(epoch), `${epoch} was granted twice`);
      granted.add(epoch);
    }
    await unfence(regionId);
  }
  const row = await selectRegion(database, regionId);
  assert.deepEqual([row?.epoch_term, row?.epoch_n, row?.wanted], [4, 6, "active"]);
});

test("a region that never registered can be fenced, and registers in that life", async () => {
  const regionId = RegionId.parse("unheard-of");
  assert.deepEqual((await fence(regionId)).life, { epoch: [1, 1], wanted: "fenced" });
  await grantFirstEpoch(database, regionId, 1);
  const row = await selectRegion(database, regionId);
  assert.deepEqual([row?.epoch_n, row?.wanted], [1, "fenced"]);
});
