/** Operations that share a transaction come out as they would alone; what spoils a group spoils nothing. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import pg from "pg";
import { systemClock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { NodeId, PlayerId, RoomId, uuidV7 } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import {
  type ValueAnswer,
  type ValueChange,
  ValueOp,
  type ValueRequest,
} from "../../shared/protocol/value.ts";
import { Database } from "../db/database.ts";
import { readMigrations } from "../db/migrate.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { decideTogether } from "./decide-together.ts";
import { ValueOps } from "./value-ops.ts";
import { DecidedElsewhere } from "./write-committed.ts";

const created = await startTestDatabase();
const { database } = created;
after(async () => {
  await planned?.stop();
  await created.drop();
});
const nodeId = NodeId.parse("beijing-1");
let planned: Database | undefined;
let made = 0;

async function newRoom(): Promise<Omit<ValueRequest, "op">> {
  made += 1;
  const roomId = RoomId.parse(`group-room-${made}`);
  await database.run(
    `insert into rooms (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at)
     values ($1, 'arena', 'beijing', $2, 1, 1, $1, now())`,
    [roomId, nodeId],
  );
  return { roomId, nodeId, roomEpoch: [1, 1] };
}

async function newPlayer(): Promise<PlayerId> {
  const id = PlayerId.parse(uuidV7(systemClock.nowMs(), randomBytes(10)));
  await database.run(
    "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
    [id],
  );
  return id;
}

function opOf(...changes: ValueChange[]): ValueOp {
  made += 1;
  return ValueOp.parse({ id: `group/op-${made}`, changes });
}

const coins = (amount: number) => ({ currency: "coin", amount });
const credit = (playerId: PlayerId, amount: number) =>
  opOf({ kind: "credit", playerId, ...coins(amount) });
const pay = (from: PlayerId, to: PlayerId, amount: number) =>
  opOf({ kind: "pay", from, to, ...coins(amount) });

async function balanceOf(playerId: PlayerId): Promise<number> {
  const [row] = await database.rows<{ balance: number }>(
    "select balance from wallets where player_id = $1 and currency = 'coin'",
    [playerId],
  );
  return row?.balance ?? 0;
}

function together(requests: readonly ValueRequest[]) {
  return database.transaction((tx) => decideTogether(tx, requests, systemClock));
}

test("each sees what those before it did, and one that is fenced or refused is alone with that", async () => {
  const [room, ada, bea] = [await newRoom(), await newPlayer(), await newPlayer()];
  const gem = { itemId: `${room.roomId}/gem` };
  const ops = [
    pay(ada, bea, 1),
    credit(ada, 10),
    pay(ada, bea, 7),
    opOf({ kind: "grantItem", ...gem, itemKind: "gem", playerId: ada }),
    opOf({ kind: "giveItem", ...gem, from: ada, to: bea }),
    opOf({ kind: "giveItem", ...gem, from: ada, to: bea }),
    pay(ada, bea, 4),
  ];
  const requests = ops.map((op) => ({ ...room, op }));
  const stranger = { ...room, roomEpoch: [1, 2] as const, op: credit(ada, 100) };
  const outcomes = await together([...requests, stranger]);
  const told = outcomes?.map((outcome) => {
    if ("error" in outcome) return isFailure(outcome.error) ? outcome.error.kind : "error";
    const { answer } = outcome;
    return answer.outcome === "refused" ? answer.refusal : `done ${answer.opSeq}`;
  });
  assert.deepEqual(told, [
    "insufficient_funds",
    "done 2",
    "done 3",
    "done 4",
    "done 5",
    "not_the_owner",
    "insufficient_funds",
    "fenced",
  ]);
  assert.deepEqual([await balanceOf(ada), await balanceOf(bea)], [3, 7]);
  const owners = await database.rows("select owner_id from items where item_id = $1", [gem.itemId]);
  assert.deepEqual(owners, [{ owner_id: bea }]);
  const [answer] = outcomes?.slice(2, 3) ?? [];
  assert.deepEqual(answer && "answer" in answer && answer.answer.outcome, "committed");
});

test("a group with an operation that was decided before, or twice, is undone as a whole", async () => {
  const [room, ada] = [await newRoom(), await newPlayer()];
  const known = { ...room, op: credit(ada, 1) };
  const fresh = () => ({ ...room, op: credit(ada, 10) });
  const twice = fresh();
  const ops = new ValueOps({ database, clock: systemClock, metrics: createMetrics({}) });
  await ops.apply(known);
  for (const group of [
    [fresh(), known, fresh()],
    [twice, fresh(), twice],
  ]) {
    await assert.rejects(together(group), DecidedElsewhere);
  }
  assert.equal(await balanceOf(ada), 1);
});

test("sent all at once, with repetitions and a stranger's among them, each is done once", async () => {
  const room = await newRoom();
  const players = await Promise.all(Array.from({ length: 5 }, newPlayer));
  const ops = new ValueOps({ database, clock: systemClock, metrics: createMetrics({}) });
  const requests = players.flatMap((playerId) =>
    Array.from({ length: 20 }, () => ({ ...room, op: credit(playerId, 1) })),
  );
  const repeated = requests.filter((_, index) => index % 7 === 0);
  const strangers = players.map((playerId) => ({
    ...room,
    nodeId: NodeId.parse("tianjin-9"),
    op: credit(playerId, 1_000),
  }));
  const results = await Promise.allSettled(
    [...requests, ...repeated, ...strangers].map((request) => ops.apply(request)),
  );
  const answers = results.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const places = answers.map((answer: ValueAnswer) => answer.opSeq);
  assert.equal(answers.length, requests.length + repeated.length);
  assert.equal(new Set(places).size, requests.length, "a repetition takes no place");
  assert.equal(Math.max(...places), requests.length, "no place is left out");
  for (const playerId of players) assert.equal(await balanceOf(playerId), 20);
});

test("groups that make the same wallets in different orders don't wait for each other", async () => {
  const [one, two] = [await newRoom(), await newRoom()];
  for (let rounds = 0; rounds < 10; rounds += 1) {
    const players = await Promise.all(Array.from({ length: 20 }, newPlayer));
    const forth = players.map((playerId) => ({ ...one, op: credit(playerId, 1) }));
    const back = players.map((playerId) => ({ ...two, op: credit(playerId, 2) })).reverse();
    const groups = await Promise.all([together(forth), together(back)]);
    assert.ok(groups.flat().every((outcome) => "answer" in outcome));
    for (const playerId of players) assert.equal(await balanceOf(playerId), 3);
  }
});

test("a payment is not refused because a wallet of it changes at this moment", async () => {
  const [ada, bea] = [await newPlayer(), await newPlayer()];
  const rooms = await Promise.all(Array.from({ length: 8 }, newRoom));
  const database = await asWithLargeTables();
  const ops = new ValueOps({ database, clock: systemClock, metrics: createMetrics({}) });
  const [first] = rooms;
  assert.ok(first);
  await ops.apply({ ...first, op: credit(ada, 1_000) });
  await ops.apply({ ...first, op: credit(bea, 1_000) });
  const answers = await Promise.all(
    rooms.flatMap((room, r) =>
      Array.from({ length: 12 }, (_, n) => {
        const [from, to] = (r + n) % 2 === 0 ? [ada, bea] : [bea, ada];
        const requests = [{ ...room, op: pay(from, to, 1) }];
        return database.transaction((tx) => decideTogether(tx, requests, systemClock));
      }),
    ),
  );
  for (const outcome of answers.flat()) {
    assert.ok(outcome && "answer" in outcome);
    assert.equal(outcome.answer.outcome, "committed");
  }
});

/** The planner then goes by index: in the join that was here once, rows that had changed were lost. */
async function asWithLargeTables(): Promise<Database> {
  const name = new URL(created.url).pathname.slice(1);
  const owner = new pg.Client({ connectionString: created.url });
  await owner.connect();
  for (const way of ["enable_hashjoin", "enable_mergejoin", "enable_seqscan"]) {
    await owner.query(`alter database ${pg.escapeIdentifier(name)} set ${way} = off`);
  }
  await owner.end();
  planned = new Database({
    url: created.workingUrl,
    ownerUrl: created.url,
    connectionsMax: 8,
    startDeadlineMs: 0,
    migrations: readMigrations(),
    clock: systemClock,
    log: createLog("test", "silent"),
    metrics: createMetrics({}),
  });
  return planned;
}
