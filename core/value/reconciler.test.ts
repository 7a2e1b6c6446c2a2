/** Differences that somebody planted by hand are found, and traffic makes none, in a real database. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, test } from "node:test";
import pg from "pg";
import { FakeClock } from "../../shared/fake-clock.ts";
import { NodeId, PlayerId, RoomId, uuidV7 } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { type ValueChange, ValueOp } from "../../shared/protocol/value.ts";
import { primaryReads } from "../db/stale-reads.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { Reconciler } from "./reconciler.ts";
import { ValueOps } from "./value-ops.ts";

const created = await startTestDatabase();
const { database } = created;
const clock = new FakeClock(Date.now());
const metrics = createMetrics({});
const log = createLog("core", "silent");
const ops = new ValueOps({ database, clock, metrics: createMetrics({}) });
const owner = new pg.Client(created.url);
await owner.connect();
await owner.query("set search_path = meridian");
after(async () => {
  await owner.end();
  await created.drop();
});

const room = {
  roomId: RoomId.parse("reconciled-room"),
  nodeId: NodeId.parse("beijing-1"),
  roomEpoch: [1, 1] as const,
};
await database.run(
  `insert into rooms (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at)
   values ($1, 'arena', 'beijing', $2, 1, 1, $1, now())`,
  [room.roomId, room.nodeId],
);
let made = 0;

async function newPlayer(): Promise<PlayerId> {
  const id = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
  await database.run(
    "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
    [id],
  );
  return id;
}

function apply(...changes: ValueChange[]) {
  made += 1;
  return ops.apply({ ...room, op: ValueOp.parse({ id: `reconciled/${made}`, changes }) });
}

const credit = (playerId: PlayerId, amount: number) =>
  ({ kind: "credit", playerId, currency: "coin", amount }) as const;
const grant = (playerId: PlayerId, itemId: string) =>
  ({ kind: "grantItem", playerId, itemId, itemKind: "gem" }) as const;

function newReconciler(registry = createMetrics({})) {
  return new Reconciler({
    database,
    staleReads: primaryReads(database),
    periodMs: 0,
    clock,
    log,
    metrics: registry,
  });
}

const reconciler = newReconciler(metrics);
afterEach(async () => {
  await round();
  assert.deepEqual(reconciler.status.differences, [], "what was mended is found no more");
});

/** Two minutes later: what was booked is settled. */
async function round(): Promise<void> {
  clock.advance(120_000);
  await reconciler.run();
}

async function gauge(kind: string): Promise<number | undefined> {
  const metric = await metrics.getSingleMetric("meridian_value_differences")?.get();
  return metric?.values.find(({ labels }) => labels.kind === kind)?.value;
}

test("a wallet that was changed by hand, and one that is gone", async () => {
  const [ada, bea] = [await newPlayer(), await newPlayer()];
  await apply(credit(ada, 7));
  await apply(credit(bea, 3));
  await round();
  assert.equal(reconciler.status.total, 0);
  await owner.query("update wallets set balance = 9 where player_id = $1", [ada]);
  await owner.query("delete from wallets where player_id = $1", [bea]);
  await round();
  assert.deepEqual(reconciler.status.differences, [
    { kind: "wallet", subject: `${ada} coin`, expected: "7", actual: "9" },
    { kind: "wallet", subject: `${bea} coin`, expected: "3", actual: "0" },
  ]);
  assert.deepEqual([await gauge("wallet"), await gauge("item")], [2, 0]);
  await round();
  assert.equal(reconciler.status.total, 2, "as long as it is there");
  await owner.query("update wallets set balance = 7 where player_id = $1", [ada]);
  await owner.query("insert into wallets (player_id, currency, balance) values ($1, 'coin', 3)", [
    bea,
  ]);
});

test("a ledger entry that is missing: a player's, the games', of a new and of an old operation", async () => {
  const ada = await newPlayer();
  await apply(credit(ada, 7));
  const lost = await owner.query("delete from ledger where op_id = $1 and amount > 0 returning *", [
    `reconciled/${made}`,
  ]);
  await round();
  const kinds = () => reconciler.status.differences.map(({ kind }) => kind).sort();
  assert.deepEqual(kinds(), ["ledger", "operation", "wallet"]);
  await round();
  assert.deepEqual(kinds(), ["ledger", "operation", "wallet"], "it is not new any more");
  const restore = (row: pg.QueryResultRow | undefined) => {
    assert.ok(row);
    const values = [row.player_id, row.currency, row.amount, row.op_id, row.booked_at];
    return owner.query("insert into ledger values ($1, $2, $3, $4, $5)", values);
  };
  await restore(lost.rows[0]);
  await round();
  assert.deepEqual(kinds(), []);
  const games = await owner.query(
    "delete from ledger where op_id = $1 and amount < 0 returning *",
    [`reconciled/${made}`],
  );
  await round();
  assert.deepEqual(kinds(), ["ledger"], "the games' side of an old one shows in the sum");
  await restore(games.rows[0]);
});

test("an item whose owner, or whose last operation, was changed by hand", async () => {
  const [ada, bea] = [await newPlayer(), await newPlayer()];
  await apply(grant(ada, "gem-1"), grant(ada, "gem-2"), grant(ada, "gem-3"));
  await apply({ kind: "giveItem", itemId: "gem-2", from: ada, to: bea });
  await apply({ kind: "takeItem", itemId: "gem-3", playerId: ada });
  await round();
  assert.equal(reconciler.status.total, 0);
  const first = `reconciled/${made - 2}`;
  await owner.query("update items set owner_id = $1 where item_id = 'gem-1'", [bea]);
  await owner.query("update items set owner_id = $1, changed_by = $2 where item_id = 'gem-2'", [
    ada,
    first,
  ]);
  await owner.query("insert into items values ('gem-3', 'gem', $1, $2)", [ada, first]);
  await owner.query("insert into items values ('gem-4', 'gem', $1, 'nothing')", [ada]);
  await round();
  const found = reconciler.status.differences;
  assert.deepEqual(
    found.sort((a, b) => (a.subject < b.subject ? -1 : 1)),
    [
      { kind: "item", subject: "gem-1", expected: ada, actual: bea },
      { kind: "item", subject: "gem-2", expected: bea, actual: ada },
      { kind: "item", subject: "gem-3", expected: "nobody's", actual: ada },
      {
        kind: "item",
        subject: "gem-4",
        expected: "an operation that was committed",
        actual: ada,
      },
    ],
  );
  await owner.query("update items set owner_id = $1 where item_id = 'gem-1'", [ada]);
  await owner.query("update items set owner_id = $1, changed_by = $2 where item_id = 'gem-2'", [
    bea,
    `reconciled/${made - 1}`,
  ]);
  await owner.query("delete from items where item_id in ('gem-3', 'gem-4')");
});

test("an item whose row was deleted by hand; a deleted account's is no difference", async () => {
  const [ada, bea] = [await newPlayer(), await newPlayer()];
  await apply(grant(ada, "gem-5"), grant(bea, "gem-6"), credit(bea, 4));
  await owner.query("delete from items where item_id = 'gem-5'");
  await database.run("delete from players where id = $1", [bea]);
  await round();
  assert.deepEqual(reconciler.status.differences, [
    { kind: "item", subject: "gem-5", expected: ada, actual: "nobody's" },
  ]);
  await owner.query("insert into items values ('gem-5', 'gem', $1, $2)", [
    ada,
    `reconciled/${made}`,
  ]);
});

test("under traffic nothing differs, in rounds and in whole runs", async () => {
  const players = await Promise.all(Array.from({ length: 6 }, newPlayer));
  await apply(...players.map((player) => credit(player, 1_000)));
  await apply(...players.map((player, n) => grant(player, `moving-${n}`)));
  let going = true;
  let done = 0;
  const pick = (n: number) => players[n % players.length] as PlayerId;
  const traffic = Array.from({ length: 4 }, async (_, lane) => {
    for (let n = lane; going; n += 1) {
      const [from, to] = [pick(n), pick(n * 5 + lane)];
      await apply({ kind: "pay", from, to, currency: "coin", amount: 1 + (n % 9) });
      await apply({ kind: "giveItem", itemId: `moving-${n % 6}`, from, to });
      if (n % 7 === 0) await apply({ kind: "takeItem", itemId: `moving-${n % 6}`, playerId: to });
      if (n % 7 === 1) await apply(grant(to, `moving-${(n - 1) % 6}`));
      done += 1;
    }
  });
  const whole = newReconciler();
  for (let runs = 0; runs < 12; runs += 1) {
    clock.advance(30_000);
    await whole.run({ whole: runs % 2 === 0 });
    assert.deepEqual(whole.status.differences, []);
    assert.equal(whole.status.failure, null);
  }
  going = false;
  await Promise.all(traffic);
  assert.ok(done > 20, `${done} operations`);
});

test("two cores do not reconcile at once, and a round goes on where the last one ended", async () => {
  const other = newReconciler();
  await Promise.all([reconciler.run({ whole: true }), other.run({ whole: true })]);
  const failures = [reconciler.status.failure, other.status.failure].filter((one) => one !== null);
  assert.ok(failures.length <= 1, failures.join());
  const [position] = await database.rows<{ booked_to: Date }>(
    "select booked_to from reconciliation",
  );
  assert.ok(position && position.booked_to.getTime() > clock.nowMs() - 1_200_000);
});
