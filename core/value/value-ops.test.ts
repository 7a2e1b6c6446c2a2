/** Operations on what is worth money, in a real database: once, in order, and never by the wrong owner. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { NodeId, PlayerId, RoomId, uuidV7 } from "../../shared/ids.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { OpId, type ValueChange, ValueOp } from "../../shared/protocol/value.ts";
import { decide, touchedBy } from "../../shared/value/value-step.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { ValueOps } from "./value-ops.ts";

const created = await startTestDatabase();
const { database } = created;
after(() => created.drop());
const metrics = createMetrics({});
const ops = new ValueOps({ database, clock: systemClock, metrics });

const nodeId = NodeId.parse("beijing-1");
let rooms = 0;
let made = 0;

async function newRoom() {
  rooms += 1;
  const roomId = RoomId.parse(`value-room-${rooms}`);
  await database.run(
    `insert into rooms (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at)
     values ($1, 'arena', 'beijing', $2, 1, 1, $1, now())`,
    [roomId, nodeId],
  );
  return { roomId, nodeId, roomEpoch: [1, 1] as const };
}

async function newPlayer(): Promise<PlayerId> {
  const id = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
  await database.run(
    "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
    [id],
  );
  return id;
}

function newOp(...changes: ValueChange[]): ValueOp {
  made += 1;
  return ValueOp.parse({ id: `testing/${made}`, changes });
}

const coins = (amount: number) => ({ currency: "coin", amount });
const credit = (playerId: PlayerId, amount: number): ValueChange => ({
  kind: "credit",
  playerId,
  ...coins(amount),
});
const debit = (playerId: PlayerId, amount: number): ValueChange => ({
  kind: "debit",
  playerId,
  ...coins(amount),
});
const pay = (from: PlayerId, to: PlayerId, amount: number): ValueChange => ({
  kind: "pay",
  from,
  to,
  ...coins(amount),
});

async function balanceOf(playerId: PlayerId): Promise<number> {
  const [row] = await database.rows<{ balance: number }>(
    "select balance from wallets where player_id = $1 and currency = 'coin'",
    [playerId],
  );
  return row?.balance ?? 0;
}

/** What a reconciler would look at: every operation sums to zero, every wallet is what was booked. */
async function requireSound(): Promise<void> {
  const unbalanced = await database.rows(
    "select op_id from ledger group by op_id, currency having sum(amount) <> 0",
  );
  assert.deepEqual(unbalanced, []);
  const wrong = await database.rows(
    `select w.player_id from wallets w
     left join (select player_id, currency, sum(amount) as booked from ledger group by 1, 2) l
       using (player_id, currency)
     where w.balance <> coalesce(l.booked, 0)`,
  );
  assert.deepEqual(wrong, []);
}

test("a credit is booked once, however often and wherever it is sent", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const op = newOp(credit(ada, 7));
  const first = await ops.apply({ ...room, op });
  assert.deepEqual(first, {
    outcome: "committed",
    opSeq: 1,
    wallets: [{ playerId: ada, currency: "coin", balance: 7 }],
  });
  const again = await Promise.all(
    Array.from({ length: 8 }, async (_, n) =>
      ops.apply({ ...(n % 2 ? room : await newRoom()), op }),
    ),
  );
  for (const answer of again) assert.deepEqual(answer, first);
  assert.equal(await balanceOf(ada), 7);
  const [row] = await database.rows("select op_seq from rooms where room_id = $1", [room.roomId]);
  assert.equal(row?.op_seq, 1, "a repetition takes no place");
  await requireSound();
});

test("of one new operation sent many times at once all get the one answer", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const op = newOp(credit(ada, 5));
  const answers = await Promise.all(Array.from({ length: 12 }, () => ops.apply({ ...room, op })));
  assert.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1);
  assert.equal(await balanceOf(ada), 5);
});

test("the same id with another body is a conflict, and changes nothing", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const op = newOp(credit(ada, 5));
  await ops.apply({ ...room, op });
  const other = { ...op, changes: [credit(ada, 6)] };
  await assert.rejects(ops.apply({ ...room, op: other }), (e) => isFailure(e, "conflict"));
  assert.equal(await balanceOf(ada), 5);
});

test("a refusal is for good: the same id is not carried out later", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const op = newOp(debit(ada, 3));
  const refused = { outcome: "refused", opSeq: 1, refusal: "insufficient_funds" };
  assert.deepEqual(await ops.apply({ ...room, op }), refused);
  await ops.apply({ ...room, op: newOp(credit(ada, 10)) });
  assert.deepEqual(await ops.apply({ ...room, op }), refused);
  assert.equal(await balanceOf(ada), 10);
});

test("an owner of before is fenced, also between two of its operations", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  await ops.apply({ ...room, op: newOp(credit(ada, 1)) });
  await database.run("update rooms set epoch_n = 2, node_id = 'tianjin-1' where room_id = $1", [
    room.roomId,
  ]);
  const late = { ...room, op: newOp(credit(ada, 1)) };
  await assert.rejects(ops.apply(late), (e) => isFailure(e, "fenced"));
  await database.run("update rooms set ended_at = now() where room_id = $1", [room.roomId]);
  const next = { ...room, nodeId: NodeId.parse("tianjin-1"), roomEpoch: [1, 2] as const };
  await assert.rejects(ops.apply({ ...next, op: late.op }), (e) => isFailure(e, "fenced"));
  assert.equal(await balanceOf(ada), 1);
});

test("a fence waits for an operation that is under way, and none comes after it", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const fence = () =>
    database.run("update rooms set epoch_n = epoch_n + 1 where room_id = $1", [room.roomId]);
  const flood = Array.from({ length: 40 }, () =>
    ops.apply({ ...room, op: newOp(credit(ada, 1)) }).then(
      () => 1,
      (error) => {
        assert.ok(isFailure(error, "fenced"));
        return 0;
      },
    ),
  );
  await fence();
  const atFence = await balanceOf(ada);
  const committed = (await Promise.all(flood)).reduce<number>((sum, one) => sum + one, 0);
  assert.equal(await balanceOf(ada), atFence, "nothing after the fence");
  assert.equal(committed, atFence);
});

test("a trade is all or nothing, and items have one owner", async () => {
  const room = await newRoom();
  const [ada, bea] = [await newPlayer(), await newPlayer()];
  const item = { itemId: `${room.roomId}/gem-1` };
  await ops.apply({
    ...room,
    op: newOp(credit(bea, 50), { kind: "grantItem", ...item, itemKind: "gem", playerId: ada }),
  });
  const give: ValueChange = { kind: "giveItem", ...item, from: ada, to: bea };
  const dear = await ops.apply({ ...room, op: newOp(give, pay(bea, ada, 51)) });
  assert.equal(dear.outcome === "refused" && dear.refusal, "insufficient_funds");
  const [before] = await database.rows("select owner_id from items where item_id = $1", [
    item.itemId,
  ]);
  assert.equal(before?.owner_id, ada);
  const fair = await ops.apply({ ...room, op: newOp(give, pay(bea, ada, 50)) });
  assert.equal(fair.outcome, "committed");
  const twice = await ops.apply({ ...room, op: newOp(give) });
  assert.equal(twice.outcome === "refused" && twice.refusal, "not_the_owner");
  const copy = newOp({ kind: "grantItem", ...item, itemKind: "gem", playerId: ada });
  const doubled = await ops.apply({ ...room, op: copy });
  assert.equal(doubled.outcome === "refused" && doubled.refusal, "item_exists");
  assert.deepEqual([await balanceOf(ada), await balanceOf(bea)], [50, 0]);
  await requireSound();
});

test("an item that two rooms give away at once goes to one of them", async () => {
  const [one, two] = [await newRoom(), await newRoom()];
  const players = await Promise.all(Array.from({ length: 6 }, newPlayer));
  const [ada] = players;
  assert.ok(ada);
  const item = { itemId: `${one.roomId}/gem-2` };
  await ops.apply({
    ...one,
    op: newOp({ kind: "grantItem", ...item, itemKind: "gem", playerId: ada }),
  });
  const answers = await Promise.all(
    players.slice(1).map((to, n) =>
      ops.apply({
        ...(n % 2 ? one : two),
        op: newOp({ kind: "giveItem", ...item, from: ada, to }),
      }),
    ),
  );
  assert.equal(answers.filter(({ outcome }) => outcome === "committed").length, 1);
});

test("many rooms pay among few players at once: no deadlock, and the sum stays", async () => {
  const all = await Promise.all(Array.from({ length: 4 }, newPlayer));
  const owners = await Promise.all(Array.from({ length: 8 }, newRoom));
  const [bank] = owners;
  assert.ok(bank);
  await ops.apply({ ...bank, op: newOp(...all.map((player) => credit(player, 100))) });
  await Promise.all(
    owners.flatMap((room, r) =>
      Array.from({ length: 10 }, (_, n) => {
        const from = all[(r + n) % 4] ?? all[0];
        const to = all[(r * 3 + n * 7 + 1) % 4] ?? all[0];
        return from && to && ops.apply({ ...room, op: newOp(pay(from, to, 1 + (n % 40))) });
      }),
    ),
  );
  const balances = await Promise.all(all.map(balanceOf));
  assert.equal(
    balances.reduce((sum, one) => sum + one, 0),
    400,
  );
  await requireSound();
});

test("nobody can be paid who is not there; a deleted account's money is booked out", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const gem: ValueChange = {
    kind: "grantItem",
    itemId: `${room.roomId}/gem-3`,
    itemKind: "gem",
    playerId: ada,
  };
  await ops.apply({ ...room, op: newOp(credit(ada, 9), gem) });
  await database.run("delete from players where id = $1", [ada]);
  assert.equal(await balanceOf(ada), 0);
  assert.deepEqual(await database.rows("select 1 from items where owner_id = $1", [ada]), []);
  const late = await ops.apply({ ...room, op: newOp(credit(ada, 1)) });
  assert.equal(late.outcome === "refused" && late.refusal, "no_such_player");
  await requireSound();
});

test("the step: whatever is asked, money sums to zero and no balance falls below zero", () => {
  const players = ["ada", "bea", "cid"] as PlayerId[];
  const player = fc.constantFrom(...players);
  const amount = fc.integer({ min: 1, max: 20 });
  const currency = fc.constantFrom("coin", "gold");
  const itemId = fc.constantFrom("one", "two", "three");
  const change: fc.Arbitrary<ValueChange> = fc.oneof(
    fc.record({ kind: fc.constant("credit" as const), playerId: player, currency, amount }),
    fc.record({ kind: fc.constant("debit" as const), playerId: player, currency, amount }),
    fc.record({ kind: fc.constant("pay" as const), from: player, to: player, currency, amount }),
    fc.record({
      kind: fc.constant("grantItem" as const),
      itemId,
      itemKind: fc.constant("gem"),
      playerId: player,
    }),
    fc.record({ kind: fc.constant("giveItem" as const), itemId, from: player, to: player }),
    fc.record({ kind: fc.constant("takeItem" as const), itemId, playerId: player }),
  );
  const rows = fc.record({
    balance: fc.integer({ min: 0, max: 30 }),
    owner: player,
    present: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), rows, (changes, given) => {
      const wanted = touchedBy(changes);
      const wallets = wanted.wallets.map((wallet) => ({ ...wallet, balance: given.balance }));
      const items = given.present
        ? wanted.items.map((id) => ({ itemId: id, kind: "gem", ownerId: given.owner }))
        : [];
      const decision = decide(changes, { players: new Set(wanted.players), wallets, items });
      if (decision.refusal) return;
      const { committed } = decision;
      for (const name of ["coin", "gold"]) {
        const sum = committed.wallets
          .filter((delta) => delta.currency === name)
          .reduce((total, delta) => total + delta.amount, committed.games.get(name) ?? 0);
        assert.equal(sum, 0);
      }
      for (const { amount: delta } of committed.wallets) assert.ok(given.balance + delta >= 0);
      const written = [
        ...committed.itemsMade.map((item) => item.itemId),
        ...committed.itemsMoved.map((item) => item.itemId),
        ...committed.itemsGone,
      ];
      assert.equal(new Set(written).size, written.length, "each item is written once");
    }),
  );
});

test("ids and amounts are bounded", () => {
  for (const id of ["short", "has a blank 1", "x".repeat(221), "naïve-id-1"]) {
    assert.equal(OpId.safeParse(id).success, false, id);
  }
  const zero = { id: "testing/zero", changes: [credit("x" as PlayerId, 0)] };
  assert.equal(ValueOp.safeParse(zero).success, false);
});
