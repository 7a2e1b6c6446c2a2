/**
 * What keeps money safe over a restored core, purchases and the reconciler included, holds for operations
 * that share a transaction as well. A real database.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { NodeId, PlayerId, RoomId, uuidV7 } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { ReceiptClaims, StoreName } from "../../shared/protocol/purchases.ts";
import { OpId, type ValueChange, ValueOp, type ValueRequest } from "../../shared/protocol/value.ts";
import { until } from "../../test/until.ts";
import { primaryReads } from "../db/stale-reads.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { PurchaseLimit } from "../purchases/purchase-limit.ts";
import { Purchases } from "../purchases/purchases.ts";
import { selectCoreTerm } from "../regions/region-store.ts";
import { decideTogether } from "./decide-together.ts";
import { Reconciler } from "./reconciler.ts";
import { ValueAgain } from "./value-again.ts";
import { ValueOps } from "./value-ops.ts";
import { DecidedElsewhere } from "./write-committed.ts";

const created = await startTestDatabase();
const { database } = created;
after(() => created.drop());
const nodeId = NodeId.parse("beijing-1");
const log = createLog("test", "silent");
const coreTerm = await selectCoreTerm(database);
let made = 0;

type Room = Omit<ValueRequest, "op">;

async function newRoom(): Promise<Room> {
  made += 1;
  const roomId = RoomId.parse(`safe-room-${made}`);
  await database.run(
    `insert into rooms (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at)
     values ($1, 'arena', 'beijing', $2, 1, 1, $1, now())`,
    [roomId, nodeId],
  );
  return { roomId, nodeId, roomEpoch: [1, 1], coreTerm };
}

async function newPlayer(): Promise<PlayerId> {
  const id = PlayerId.parse(uuidV7(systemClock.nowMs(), randomBytes(10)));
  await database.run(
    "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
    [id],
  );
  return id;
}

/** Each is another core's: what one core alone would keep apart, two do not. */
function newOps(): ValueOps {
  return new ValueOps({ database, clock: systemClock, metrics: createMetrics({}) });
}

function opOf(...changes: ValueChange[]): ValueOp {
  made += 1;
  return ValueOp.parse({ id: `safe/op-${made}`, changes });
}

const credit = (playerId: PlayerId, amount = 1) =>
  opOf({ kind: "credit", playerId, currency: "coin", amount });
const give = (itemId: string, from: PlayerId, to: PlayerId) =>
  opOf({ kind: "giveItem", itemId, from, to });

async function balanceOf(playerId: PlayerId): Promise<number> {
  const [row] = await database.rows<{ balance: number }>(
    "select balance from wallets where player_id = $1 and currency = 'coin'",
    [playerId],
  );
  return row?.balance ?? 0;
}

async function lastPlaceOf({ roomId }: Room): Promise<number | undefined> {
  const rows = await database.rows<{ op_seq: number }>(
    "select op_seq from rooms where room_id = $1",
    [roomId],
  );
  return rows[0]?.op_seq;
}

/** The places, or the kind of failure, of a group that commits. */
async function together(requests: readonly ValueRequest[]) {
  const outcomes = await database.transaction((tx) => decideTogether(tx, requests, systemClock));
  return outcomes.map((outcome) => {
    if ("answer" in outcome) return outcome.answer.opSeq;
    return isFailure(outcome.error) ? outcome.error.kind : "error";
  });
}

const shop = StoreName.parse("shop");

/** Of a store whose receipts are the transactions' ids, and that sells coins by the hundred. */
function newPurchases(): Purchases {
  const verify = async (transactionId: string) =>
    ReceiptClaims.parse({ transactionId, productId: "coins-100" });
  return new Purchases({
    database,
    verifiers: [{ store: shop, verify }],
    catalogue: new Map([["coins-100", [{ kind: "credit", currency: "coin", amount: 100 }]]]),
    limit: new PurchaseLimit({ perSecond: 1, burst: 100 }, systemClock),
    clock: systemClock,
    log,
    metrics: createMetrics({}),
  });
}

/** Every operation so far is old enough to be looked at. */
async function requireNoDifference(): Promise<void> {
  const clock = new FakeClock(systemClock.nowMs() + 120_000);
  const metrics = createMetrics({});
  const reconciler = new Reconciler({
    database,
    staleReads: primaryReads(database),
    periodMs: 0,
    clock,
    log,
    metrics,
  });
  await reconciler.run();
  await reconciler.run({ whole: true });
  assert.deepEqual([reconciler.status.failure, reconciler.status.differences], [null, []]);
}

test("a group goes on after the highest place that its rooms heard of", async () => {
  const [one, two, three] = [await newRoom(), await newRoom(), await newRoom()];
  const ada = await newPlayer();
  const stranger = { ...three, nodeId: NodeId.parse("tianjin-9"), opSeq: 100 };
  const places = await together([
    { ...one, opSeq: 10, op: credit(ada) },
    { ...two, opSeq: 3, op: credit(ada) },
    { ...one, opSeq: 10, op: credit(ada) },
    { ...stranger, op: credit(ada) },
    { ...two, opSeq: 9, op: credit(ada) },
    { ...one, op: credit(ada) },
    { ...three, op: credit(ada) },
  ]);
  assert.deepEqual(places, [11, 4, 12, "fenced", 10, 13, 1]);
  assert.equal(await balanceOf(ada), 6);
});

test("an operation with another core's term fails alone, and leaves no gap", async () => {
  const [room, other, ada] = [await newRoom(), await newRoom(), await newPlayer()];
  const early = { ...room, coreTerm: coreTerm + 1, opSeq: 50, op: credit(ada, 100) };
  const late = { ...other, coreTerm: coreTerm - 1, opSeq: 50, op: credit(ada, 100) };
  const unknown = { roomId: room.roomId, nodeId, roomEpoch: room.roomEpoch, op: credit(ada) };
  const fresh = () => ({ ...room, op: credit(ada) });
  const places = await together([fresh(), early, fresh(), late, unknown]);
  assert.deepEqual(places, [1, "unavailable", 2, "unavailable", 3]);
  assert.deepEqual([await lastPlaceOf(room), await lastPlaceOf(other)], [3, 0]);
  assert.equal(await balanceOf(ada), 3);
  assert.deepEqual(await together([{ ...early, coreTerm }, fresh()]), [51, 52]);
});

test("terms, repetitions and places hold when all is sent at once to two cores", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const cores = [newOps(), newOps()];
  const requests = Array.from({ length: 60 }, () => ({ ...room, opSeq: 7, op: credit(ada) }));
  const wrong = Array.from({ length: 20 }, () => ({
    ...room,
    coreTerm: coreTerm - 1,
    opSeq: 900,
    op: credit(ada, 1_000),
  }));
  const repeated = requests.filter((_, index) => index % 5 === 0);
  const mixed = [...requests, ...wrong, ...repeated].sort((a, b) => (a.op.id < b.op.id ? -1 : 1));
  const results = await Promise.allSettled(
    mixed.map((request, index) => cores[index % 2]?.apply(request)),
  );
  const places: number[] = [];
  for (const [index, result] of results.entries()) {
    if (result.status === "fulfilled") places.push(result.value?.opSeq ?? 0);
    else assert.ok(isFailure(result.reason, "unavailable"), String(result.reason));
    assert.equal(result.status === "fulfilled", mixed[index]?.coreTerm === coreTerm);
  }
  const expected = Array.from({ length: requests.length }, (_, index) => index + 8);
  assert.deepEqual(
    [...new Set(places)].sort((a, b) => a - b),
    expected,
    "no gap, none twice",
  );
  assert.equal(await balanceOf(ada), requests.length);
});

test("a group that is undone has not moved its room", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const known = { ...room, op: credit(ada) };
  await newOps().apply(known);
  const fresh = { ...room, opSeq: 40, op: credit(ada) };
  await assert.rejects(together([fresh, known]), DecidedElsewhere);
  assert.equal(await lastPlaceOf(room), 1);
});

test("what a restored core lost keeps its places beside groups that heard of them", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const { roomId } = room;
  const ops = newOps();
  const again = new ValueAgain({ database, clock: systemClock, metrics: createMetrics({}) });
  const kept = Array.from({ length: 12 }, (_, n) => ({ roomId, opSeq: n + 1, op: credit(ada) }));
  const fresh = Array.from({ length: 40 }, () => ({ ...room, opSeq: 12, op: credit(ada) }));
  const [{ outcomes }, ...answers] = await Promise.all([
    again.apply({ nodeId, coreTerm, ops: kept }),
    ...fresh.map((request) => ops.apply(request)),
  ]);
  assert.deepEqual(new Set(outcomes), new Set(["committed"]));
  const places = answers.map(({ opSeq }) => opSeq).sort((a, b) => a - b);
  assert.deepEqual(
    places,
    fresh.map((_, n) => n + 13),
  );
  const { ops: page } = await ops.opsAfter({ ...room, opSeq: 0 });
  assert.deepEqual(
    page.slice(0, kept.length).map(({ id }) => id),
    kept.map(({ op }) => op.id),
  );
  assert.equal(await balanceOf(ada), kept.length + fresh.length);
  await requireNoDifference();
});

test("its time is that of its locks, not that of its asking", async () => {
  const [room, ada, bea] = [await newRoom(), await newPlayer(), await newPlayer()];
  const clock = new FakeClock(systemClock.nowMs());
  const ops = [credit(ada), credit(bea)];
  const requests = ops.map((op) => ({ ...room, op }));
  let grouped: Promise<unknown> | undefined;
  await database.transaction(async (tx) => {
    await tx.run("select 1 from rooms where room_id = $1 for update", [room.roomId]);
    grouped = database.transaction((other) => decideTogether(other, requests, clock));
    await until("the group waits for its room", async () => {
      const waiting = await database.rows(
        `select 1 from pg_locks join pg_stat_activity using (pid)
         where not granted and datname = current_database()`,
      );
      return waiting.length > 0;
    });
    clock.advance(30_000);
  });
  await grouped;
  const rows = await database.rows<{ decided_at: Date }>(
    "select distinct decided_at from ops where op_id = any($1)",
    [ops.map(({ id }) => id)],
  );
  assert.deepEqual(rows, [{ decided_at: new Date(clock.nowMs()) }]);
});

test("an item that goes round among rooms and cores is passed on in the order of the numbers", async () => {
  const players = await Promise.all(Array.from({ length: 4 }, newPlayer));
  const rooms = await Promise.all(Array.from({ length: 6 }, newRoom));
  const cores = [newOps(), newOps()];
  const [ada] = players;
  const [first] = rooms;
  assert.ok(ada && first);
  const itemId = `${first.roomId}/gem`;
  const grant = opOf({ kind: "grantItem", itemId, itemKind: "gem", playerId: ada });
  await cores[0]?.apply({ ...first, op: grant });
  // Each of the four may have it: one of them can give it on, whatever the other rooms do meanwhile.
  const gives = (room: Room) =>
    players.map((from, n) => ({ ...room, op: give(itemId, from, players[(n + 1) % 4] ?? ada) }));
  await Promise.all(
    rooms.map(async (room, lane) => {
      for (let steps = 0; steps < 8; steps += 1) {
        await Promise.all(gives(room).map((request) => cores[lane % 2]?.apply(request)));
      }
    }),
  );
  const moves = await database.rows<{ from: string; to: string }>(
    `select body -> 0 ->> 'from' as from, body -> 0 ->> 'to' as to from ops
     where refusal is null and body -> 0 ->> 'itemId' = $1 and body -> 0 ->> 'kind' = 'giveItem'
     order by n`,
    [itemId],
  );
  let holder: string = ada;
  for (const { from, to } of moves) {
    assert.equal(from, holder);
    holder = to;
  }
  assert.ok(moves.length > 10, `${moves.length} moves`);
  await requireNoDifference();
});

test("purchases beside groups: each receipt grants once, nothing is lost, and all agrees", async () => {
  const [room, ada, bea] = [await newRoom(), await newPlayer(), await newPlayer()];
  const ops = newOps();
  const purchases = newPurchases();
  const receipts = Array.from({ length: 45 }, (_, n) => `beside-${n % 15}-${n % 2}`);
  const shown = receipts.map((receipt, n) =>
    purchases.grant(n % 2 ? ada : bea, { store: shop, receipt }),
  );
  const transactions = new Set(receipts).size;
  const operations = Array.from({ length: 120 }, (_, n) =>
    ops.apply({ ...room, op: credit(n % 2 ? ada : bea) }),
  );
  const answers = await Promise.all(shown);
  await Promise.all(operations);
  assert.equal(answers.filter(({ alreadyGranted }) => !alreadyGranted).length, transactions);
  const sum = (await balanceOf(ada)) + (await balanceOf(bea));
  assert.equal(sum, operations.length + transactions * 100);
  const id = OpId.parse("purchase/shop/beside-0-0");
  const taken = { ...room, op: { ...credit(ada), id } };
  const spoilt = [taken, ...Array.from({ length: 6 }, () => ({ ...room, op: credit(ada) }))];
  const kinds = await Promise.all(
    spoilt.map((request) =>
      ops.apply(request).then(
        ({ outcome }) => outcome,
        (error) => (isFailure(error) ? error.kind : "error"),
      ),
    ),
  );
  assert.deepEqual(new Set(kinds.slice(1)), new Set(["committed"]));
  assert.equal(kinds[0], "conflict", "a purchase's id is no room's");
  assert.equal(await lastPlaceOf(room), 126, "and takes no place");
  await requireNoDifference();
});
