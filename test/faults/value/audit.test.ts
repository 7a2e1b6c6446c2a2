/** The audit finds what is planted, in records and in a real database, and nothing else. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import pg from "pg";
import { startTestDatabase } from "../../../core/db/test-database.ts";
import { ValueOps } from "../../../core/value/value-ops.ts";
import { systemClock } from "../../../shared/clock.ts";
import { NodeId, PlayerId, RoomId, uuidV7 } from "../../../shared/ids.ts";
import { createMetrics } from "../../../shared/metrics.ts";
import { type ValueChange, ValueOp } from "../../../shared/protocol/value.ts";
import { audit, auditText, isClean } from "./audit.ts";
import { ClientRecords, type PromisedOp } from "./client-records.ts";
import { readTables, type Tables } from "./ledger-tables.ts";

const created = await startTestDatabase();
const { database } = created;
after(() => created.drop());
const ops = new ValueOps({ database, clock: systemClock, metrics: createMetrics({}) });
const owner = { roomId: RoomId.parse("audited-room"), nodeId: NodeId.parse("beijing-1") };
await database.run(
  `insert into rooms (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at)
   values ($1, 'treasury', 'beijing', $2, 1, 1, $1, now())`,
  [owner.roomId, owner.nodeId],
);
const [ada, bea] = [await newPlayer(), await newPlayer()];
const gem = { itemId: "audited-room/gem-1" };
const promised: PromisedOp[] = [
  await apply("earn-1", { kind: "credit", playerId: ada, currency: "coin", amount: 50 }),
  await apply("pay-1", { kind: "pay", from: ada, to: bea, currency: "coin", amount: 20 }),
  await apply("gem-1", { kind: "grantItem", ...gem, itemKind: "gem", playerId: ada }),
  await apply("poor-1", { kind: "pay", from: bea, to: ada, currency: "coin", amount: 90 }),
  await apply(
    "trade-1",
    { kind: "giveItem", ...gem, from: ada, to: bea },
    { kind: "pay", from: bea, to: ada, currency: "coin", amount: 5 },
  ),
];
const tables = await readTables(created.url);

async function newPlayer(): Promise<PlayerId> {
  const id = PlayerId.parse(uuidV7(systemClock.nowMs(), randomBytes(10)));
  await database.run(
    "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
    [id],
  );
  return id;
}

async function apply(cause: string, ...changes: ValueChange[]): Promise<PromisedOp> {
  const op = ValueOp.parse({ id: `${owner.roomId}/${cause}/${ada}`, changes });
  const answer = await ops.apply({ ...owner, roomEpoch: [1, 1], op });
  return { ...op, refusal: answer.outcome === "refused" ? answer.refusal : null };
}

const idOf = (cause: string) => `${owner.roomId}/${cause}/${ada}`;

/** @returns how many were lost and doubled, and how much else is wrong */
function counts(given: readonly PromisedOp[], found: Tables) {
  const { lost, doubled, unsound } = audit(given, found);
  return { lost: lost.length, doubled: doubled.length, unsound: unsound.length > 0 };
}

test("what is right is found right", () => {
  const found = audit(promised, tables);
  assert.ok(isClean(found), auditText(found));
  assert.equal(auditText(found), "5 ops: 0 lost, 0 doubled");
});

test("a promise that the database knows nothing of is lost", () => {
  const [first] = promised;
  assert.ok(first);
  const id = ValueOp.shape.id.parse("audited-room/never-1/ada");
  const made = [...promised, { ...first, id }];
  assert.deepEqual(counts(made, tables), { lost: 1, doubled: 0, unsound: false });
  assert.match(auditText(audit(made, tables)), /^6 ops: 1 lost, 0 doubled; audited-room\/never-1/);
});

test("a promise of another amount, or of what was refused, is lost", () => {
  const doctored = promised.map((op) =>
    op.id === idOf("pay-1")
      ? { ...op, changes: op.changes.map((change) => ({ ...change, amount: 21 })) }
      : op,
  ) as PromisedOp[];
  assert.deepEqual(counts(doctored, tables), { lost: 1, doubled: 0, unsound: false });
  const refused = promised.map((op) => (op.id === idOf("poor-1") ? { ...op, refusal: null } : op));
  assert.deepEqual(counts(refused, tables), { lost: 1, doubled: 0, unsound: false });
});

test("amounts that are booked twice, and a cause that was done in two rooms, are doubled", () => {
  const again = tables.ledger.filter(({ opId }) => opId === idOf("earn-1"));
  const twice = { ...tables, ledger: [...tables.ledger, ...again] };
  assert.deepEqual(counts(promised, twice), { lost: 0, doubled: 1, unsound: true });
  const copies = tables.ops.filter(({ id }) => id === idOf("gem-1"));
  const elsewhere = copies.map((op) => ({ ...op, id: `other/gem-1/${ada}`, roomId: "other" }));
  const inTwo = { ...tables, ops: [...elsewhere, ...tables.ops] };
  assert.deepEqual(counts(promised, inTwo), { lost: 0, doubled: 1, unsound: false });
});

test("an item in wrong hands, a wallet that nobody booked and a stray entry are unsound", () => {
  const stolen = tables.items.map((item) => ({ ...item, ownerId: ada }));
  const richer = tables.wallets.map((wallet) => ({ ...wallet, amount: wallet.amount + 1 }));
  const stray = [{ opId: "out/of/nowhere", playerId: ada, currency: "coin", amount: 1 }];
  const wrong = { lost: 0, doubled: 0, unsound: true };
  assert.deepEqual(counts(promised, { ...tables, items: stolen }), wrong);
  assert.deepEqual(counts(promised, { ...tables, wallets: richer }), wrong);
  assert.deepEqual(counts(promised, { ...tables, ledger: [...tables.ledger, ...stray] }), wrong);
});

test("rows that are deleted by hand are found", async () => {
  const hand = new pg.Client({ connectionString: created.url });
  await hand.connect();
  try {
    await hand.query("begin");
    await hand.query("delete from meridian.ledger where op_id = $1", [idOf("earn-1")]);
    await hand.query("commit");
    const lost = { lost: 1, doubled: 0, unsound: true };
    assert.deepEqual(counts(promised, await readTables(created.url)), lost);
    await hand.query("delete from meridian.ops where op_id = $1", [idOf("gem-1")]);
    const { lost: both } = audit(promised, await readTables(created.url));
    assert.equal(both.length, 2);
  } finally {
    await hand.end();
  }
});

test("an operation that is told twice must be told the same", () => {
  const records = new ClientRecords();
  const [first] = promised;
  assert.ok(first);
  records.promise(first);
  records.promise(first);
  assert.deepEqual([records.promised.length, records.contradictions.length], [1, 0]);
  records.promise({ ...first, refusal: "insufficient_funds" });
  assert.match(records.contradictions.join(), /told committed .* then insufficient_funds/);
});
