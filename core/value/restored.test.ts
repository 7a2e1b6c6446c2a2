/**
 * A core that was restored to before: rows that it committed are taken away, as a backup would, its term is
 * raised, and a node does what it does. A real database and the real command.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { systemClock } from "../../shared/clock.ts";
import { EPOCH_NONE } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import { GameName, NodeId, PlayerId, RegionId, RoomId, uuidV7 } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { type ValueChange, ValueOp } from "../../shared/protocol/value.ts";
import { Database } from "../db/database.ts";
import { readMigrations } from "../db/migrate.ts";
import { createTestDatabase } from "../db/test-database.ts";
import { answerClaim } from "../regions/claims.ts";
import {
  grantFirstEpoch,
  reaffirmRooms,
  selectCoreTerm,
  selectHeld,
} from "../regions/region-store.ts";
import { ValueAgain } from "./value-again.ts";
import { ValueOps } from "./value-ops.ts";

const created = await createTestDatabase();
after(() => created.drop());
const regionId = RegionId.parse("beijing");
const game = GameName.parse("arena");
const nodeId = NodeId.parse("beijing-1");
const RAISE = fileURLToPath(new URL("../db/raise-term.ts", import.meta.url));

/** A core's life, which ends with the database's connections. */
async function life() {
  const metrics = createMetrics({});
  const database = new Database({
    url: created.workingUrl,
    ownerUrl: created.url,
    connectionsMax: 6,
    startDeadlineMs: 0,
    migrations: readMigrations(),
    clock: systemClock,
    log: createLog("test", "silent"),
    metrics,
  });
  await database.start();
  const deps = { database, clock: systemClock, metrics };
  const term = await selectCoreTerm(database);
  return { database, term, ops: new ValueOps(deps), again: new ValueAgain(deps) };
}
type Life = Awaited<ReturnType<typeof life>>;

let core: Life = await life();
after(() => core.database.stop());
await grantFirstEpoch(core.database, regionId, 1);
let made = 0;

async function raiseTerm(): Promise<string> {
  const env = { ...process.env, DATABASE_URL: created.url, DATABASE_OWNER_URL: "" };
  const { stdout } = await promisify(execFile)(process.execPath, [RAISE], { env });
  return stdout;
}

/** Restored: `lose` takes away what was committed after the backup. */
async function restored(lose: (database: Database) => Promise<unknown>): Promise<number> {
  await lose(core.database);
  await core.database.stop();
  const before = core.term;
  await raiseTerm();
  core = await life();
  assert.ok(core.term > before);
  return before;
}

async function newPlayer(): Promise<PlayerId> {
  const id = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
  await core.database.run(
    "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
    [id],
  );
  return id;
}

async function newRoom() {
  made += 1;
  const roomId = RoomId.parse(`restored-room-${made}`);
  const asked = { claimId: `restored-${made}`, roomId, game, nodeId, regionId };
  const claim = { ...asked, regionEpoch: EPOCH_NONE };
  const { roomEpoch } = await core.database.transaction((tx) =>
    answerClaim(tx, claim, core.term, new Date()),
  );
  return { roomId, nodeId, roomEpoch };
}

function op(roomId: RoomId, cause: string, ...changes: ValueChange[]): ValueOp {
  return ValueOp.parse({ id: `${roomId}/${cause}/ada`, changes });
}

const coins = (kind: "credit" | "debit", playerId: PlayerId, amount: number) =>
  ({ kind, playerId, currency: "coin", amount }) as const;

async function balanceOf(playerId: PlayerId): Promise<number> {
  const rows = await core.database.rows<{ balance: number }>(
    "select balance from wallets where player_id = $1",
    [playerId],
  );
  return rows[0]?.balance ?? 0;
}

/** As a backup from before those operations would have it. */
async function lose(database: Database, playerId: PlayerId, ops: ValueOp[], opSeq: number) {
  const client = await import("pg").then(({ default: pg }) => new pg.Client(created.url));
  await client.connect();
  await client.query("set search_path = meridian");
  const ids = ops.map(({ id }) => id);
  await client.query(
    `update wallets set balance = balance - (
       select coalesce(sum(amount), 0) from ledger where op_id = any($1) and player_id = $2)
     where player_id = $2`,
    [ids, playerId],
  );
  await client.query("delete from ledger where op_id = any($1)", [ids]);
  await client.query("delete from ops where op_id = any($1)", [ids]);
  const [roomId] = (ids[0] ?? "").split("/");
  await database.run("update rooms set op_seq = $2 where room_id = $1", [roomId, opSeq]);
  await client.end();
}

test("the command refuses while a core is connected, and never gives a term twice", async () => {
  await assert.rejects(raiseTerm(), /a core is connected/);
  await core.database.stop();
  const first = /was (\d+) and is (\d+)/.exec(await raiseTerm());
  const second = /was (\d+) and is (\d+)/.exec(await raiseTerm());
  assert.equal(second?.[1], first?.[2]);
  assert.ok(Number(second?.[2]) > Number(first?.[2]));
  assert.ok(
    Number(first?.[2]) > 1_700_000_000,
    "the same backup restored once more gets a later one",
  );
  core = await life();
});

test("what a restored core lost is carried out again once, in its places; what it has stays", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const { roomId } = room;
  const all = [
    op(roomId, "one", coins("credit", ada, 10)),
    op(roomId, "two", coins("credit", ada, 5)),
    op(roomId, "three", coins("debit", ada, 12)),
  ];
  for (const one of all) await core.ops.apply({ ...room, op: one });
  const before = await restored((database) => lose(database, ada, all.slice(1), 1));
  assert.equal(await balanceOf(ada), 10);
  const early = core.ops.apply({
    ...room,
    coreTerm: before,
    opSeq: 3,
    op: op(roomId, "four", coins("credit", ada, 1)),
  });
  await assert.rejects(early, (error) => isFailure(error, "unavailable"));
  const kept = all.map((one, index) => ({ roomId, opSeq: index + 1, op: one }));
  const again = { nodeId, coreTerm: core.term, ops: kept };
  const wrong = core.again.apply({ ...again, coreTerm: before });
  await assert.rejects(wrong, (error) => isFailure(error, "unavailable"));
  assert.deepEqual(await core.again.apply(again), {
    outcomes: ["known", "committed", "committed"],
  });
  assert.deepEqual((await core.again.apply(again)).outcomes, ["known", "known", "known"]);
  assert.equal(await balanceOf(ada), 3);
  const next = op(roomId, "four", coins("credit", ada, 1));
  const answer = await core.ops.apply({ ...room, coreTerm: core.term, opSeq: 3, op: next });
  assert.equal(answer.opSeq, 4);
  const page = await core.ops.opsAfter({ ...room, opSeq: 0 });
  assert.deepEqual(
    page.ops.map(({ opSeq, id }) => [opSeq, id]),
    [...all, next].map(({ id }, index) => [index + 1, id]),
  );
});

test("a place that the room has given away since is not given twice", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const { roomId } = room;
  const lost = op(roomId, "lost", coins("credit", ada, 5));
  await core.ops.apply({ ...room, op: lost });
  await restored((database) => lose(database, ada, [lost], 0));
  // Its next owner had not heard of the lost one.
  const other = op(roomId, "other", coins("credit", ada, 1));
  assert.equal((await core.ops.apply({ ...room, op: other })).opSeq, 1);
  const again = { nodeId, coreTerm: core.term, ops: [{ roomId, opSeq: 1, op: lost }] };
  assert.deepEqual((await core.again.apply(again)).outcomes, ["committed"]);
  const page = await core.ops.opsAfter({ ...room, opSeq: 1 });
  assert.deepEqual([page.ops[0]?.id, page.upTo], [lost.id, 2]);
  assert.equal(await balanceOf(ada), 6);
});

test("what can't be carried out now is not decided: later it is", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const { roomId } = room;
  const spend = op(roomId, "spend", coins("debit", ada, 5));
  const again = { nodeId, coreTerm: core.term, ops: [{ roomId, opSeq: 1, op: spend }] };
  assert.deepEqual((await core.again.apply(again)).outcomes, ["refused"]);
  await core.ops.apply({ ...room, op: op(roomId, "earn", coins("credit", ada, 5)) });
  assert.deepEqual((await core.again.apply(again)).outcomes, ["committed"]);
  assert.equal(await balanceOf(ada), 0);
  assert.equal(
    (
      await core.again.apply({
        ...again,
        ops: [{ roomId, opSeq: 9, op: { ...spend, changes: [coins("debit", ada, 1)] } }],
      })
    ).outcomes[0],
    "refused",
    "the id means another thing",
  );
});

test("a room whose claim was lost is its node's again; one that has a later owner is not", async () => {
  const [young, moved, known] = [await newRoom(), await newRoom(), await newRoom()];
  await restored(async (database) => {
    await database.run("delete from rooms where room_id = $1", [young.roomId]);
    // Lost: that it was handed over from another life.
    await database.run(
      "update rooms set node_id = 'beijing-7', ended_at = now(), epoch_n = 0 where room_id = $1",
      [moved.roomId],
    );
    await database.run("update rooms set node_id = 'beijing-8', epoch_n = 9 where room_id = $1", [
      known.roomId,
    ]);
  });
  const rooms = [young, moved, known].map(({ roomId, roomEpoch }) => ({
    roomId,
    game,
    roomEpoch,
    opSeq: 4,
  }));
  const bogus = {
    ...young,
    roomId: RoomId.parse("never-granted"),
    roomEpoch: [core.term, 1] as const,
  };
  rooms.push({ roomId: bogus.roomId, game, roomEpoch: bogus.roomEpoch, opSeq: 0 });
  await reaffirmRooms(core.database, { regionId, nodeId }, rooms, new Date());
  const held = await selectHeld(core.database, nodeId, rooms);
  assert.deepEqual(held.sort(), [young.roomId, moved.roomId].sort());
  const ada = await newPlayer();
  const answer = await core.ops.apply({
    ...young,
    op: op(young.roomId, "one", coins("credit", ada, 1)),
  });
  assert.equal(answer.opSeq, 5);
});
