/** A claim tells the room's next owner all that was committed before it, in a real database. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { EPOCH_NONE } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import { GameName, NodeId, PlayerId, RegionId, RoomId, uuidV7 } from "../../shared/ids.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { ROOM_OPS_MAX, ValueOp } from "../../shared/protocol/value.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { answerClaim } from "../regions/claims.ts";
import { grantFirstEpoch } from "../regions/region-store.ts";
import { ValueOps } from "./value-ops.ts";

const created = await startTestDatabase();
const { database } = created;
after(() => created.drop());
const ops = new ValueOps({ database, clock: systemClock, metrics: createMetrics({}) });
const regionId = RegionId.parse("beijing");
const game = GameName.parse("arena");
const former = NodeId.parse("beijing-1");
const next = NodeId.parse("beijing-2");
const ada = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
await database.run(
  "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
  [ada],
);
await grantFirstEpoch(database, regionId, 1);
let claims = 0;

function claim(roomId: RoomId, nodeId: NodeId, opSeq?: number) {
  claims += 1;
  const known = opSeq === undefined ? {} : { opSeq };
  const body = {
    claimId: `room-ops-${claims}`,
    roomId,
    game,
    nodeId,
    regionId,
    regionEpoch: EPOCH_NONE,
    ...known,
  };
  return database.transaction((tx) => answerClaim(tx, body, 1, new Date()));
}

function release(roomId: RoomId) {
  return database.run("update rooms set ended_at = now() where room_id = $1", [roomId]);
}

function credit(roomId: RoomId, cause: string, amount = 1) {
  const change = { kind: "credit", playerId: ada, currency: "coin", amount };
  return ValueOp.parse({ id: `${roomId}/${cause}/ada`, changes: [change] });
}

test("a new room knows of nothing; its next owner gets what it does not know, without refusals", async () => {
  const roomId = RoomId.parse("ops-room-1");
  const first = await claim(roomId, former);
  assert.deepEqual(first.roomOps, { ops: [], upTo: 0, more: false });
  const owner = { roomId, nodeId: former, roomEpoch: first.roomEpoch };
  await ops.apply({ ...owner, op: credit(roomId, "one") });
  const dear = { ...credit(roomId, "two"), changes: [] as ValueOp["changes"] };
  dear.changes.push({ kind: "debit", playerId: ada, currency: "coin", amount: 1_000_000 });
  assert.equal((await ops.apply({ ...owner, op: dear })).outcome, "refused");
  await ops.apply({ ...owner, op: credit(roomId, "three") });
  await release(roomId);
  const second = await claim(roomId, next, 1);
  assert.deepEqual(second.roomOps, {
    ops: [{ opSeq: 3, ...credit(roomId, "three") }],
    upTo: 3,
    more: false,
  });
  const afresh = RoomId.parse("ops-room-1");
  await release(afresh);
  assert.deepEqual((await claim(afresh, next)).roomOps, { ops: [], upTo: 3, more: false });
});

test("too many for one answer come in several, to the owner only", async () => {
  const roomId = RoomId.parse("ops-room-2");
  const { roomEpoch } = await claim(roomId, former);
  const owner = { roomId, nodeId: former, roomEpoch };
  const all = ROOM_OPS_MAX + 30;
  for (let n = 1; n <= all; n += 1) await ops.apply({ ...owner, op: credit(roomId, `n-${n}`) });
  await release(roomId);
  const { roomOps, roomEpoch: now } = await claim(roomId, next, 10);
  assert.ok(roomOps);
  const { upTo, more } = roomOps;
  assert.deepEqual([roomOps.ops.length, upTo, more], [ROOM_OPS_MAX, 10 + ROOM_OPS_MAX, true]);
  const rest = await ops.opsAfter({ roomId, nodeId: next, roomEpoch: now, opSeq: upTo });
  assert.deepEqual([rest.ops.length, rest.upTo, rest.more], [20, all, false]);
  const old = ops.opsAfter({ ...owner, opSeq: upTo });
  await assert.rejects(old, (error) => isFailure(error, "fenced"));
});

test("whatever is under way at a claim: it is in the claim's answer, or fenced, and takes no place", async () => {
  for (let round = 0; round < 15; round += 1) {
    const roomId = RoomId.parse(`ops-room-race-${round}`);
    const { roomEpoch } = await claim(roomId, former);
    const owner = { roomId, nodeId: former, roomEpoch };
    const flood = Array.from({ length: 12 }, (_, n) =>
      ops.apply({ ...owner, op: credit(roomId, `n-${n}`) }).then(
        ({ opSeq }) => opSeq,
        (error: unknown) => {
          assert.ok(isFailure(error, "fenced"), String(error));
          return undefined;
        },
      ),
    );
    const moved = (async () => {
      await Promise.race([flood[round % 12], flood[0]]);
      await release(roomId);
      return await claim(roomId, next, 0);
    })();
    const answers = await Promise.all(flood);
    const { roomOps, roomEpoch: now } = await moved;
    const committed = answers.filter((opSeq) => opSeq !== undefined).sort((a, b) => a - b);
    assert.deepEqual(
      roomOps?.ops.map(({ opSeq }) => opSeq),
      committed,
    );
    const mine = { roomId, nodeId: next, roomEpoch: now, opSeq: roomOps?.upTo ?? 0 };
    const own = await ops.apply({ ...mine, op: credit(roomId, "own") });
    assert.equal(own.opSeq, committed.length + 1, "the first own one is next");
  }
});

test("a core that knows less than the room goes on after the room", async () => {
  const roomId = RoomId.parse("ops-room-3");
  const { roomEpoch } = await claim(roomId, former);
  const owner = { roomId, nodeId: former, roomEpoch };
  await ops.apply({ ...owner, op: credit(roomId, "one") });
  const later = await ops.apply({ ...owner, opSeq: 8, op: credit(roomId, "two") });
  assert.equal(later.opSeq, 9);
  await release(roomId);
  const second = await claim(roomId, next, 20);
  assert.deepEqual(second.roomOps, { ops: [], upTo: 20, more: false });
  const own = { roomId, nodeId: next, roomEpoch: second.roomEpoch };
  assert.equal((await ops.apply({ ...own, op: credit(roomId, "three") })).opSeq, 21);
  await release(roomId);
  await database.run("delete from rooms where room_id = $1", [roomId]);
  assert.equal((await claim(roomId, next)).roomOps?.upTo, 21, "its row was cleaned away");
});
