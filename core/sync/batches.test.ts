/** Batches of players' state, in a real database: once, in sequence, and only from the owner. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  DOCUMENT_BYTES_MAX,
  FIELDS_MAX,
  type OutboxItem,
} from "../../shared/protocol/player-state.ts";
import { until } from "../../test/until.ts";
import {
  adding,
  beijing1,
  granted,
  release,
  setting,
  shanghai1,
  startTestStates,
} from "./test-states.ts";

const world = await startTestStates();
after(() => world.drop());
const { states, database } = world;

let producers = 0;
/** A new outbox of that node. */
function newProducer(node = "beijing-1"): string {
  producers += 1;
  // Each is an outbox of its own: no incarnation of another.
  return `${node}/${producers}/1`;
}

async function owned(by = beijing1) {
  const playerId = await world.newPlayer();
  return { playerId, epoch: await granted(world.load(playerId, by)) };
}

test("batches in sequence are applied, each with the producer's checkpoint", async () => {
  const { playerId, epoch } = await owned();
  const producer = newProducer();
  const first = await world.batch(producer, [1, 3], [adding(playerId, epoch, { kills: 2 })]);
  assert.deepEqual(first, {
    outcome: "applied",
    lastSeq: 3,
    flushedSeq: 3,
    coreTerm: 1,
    refused: 0,
  });
  await world.batch(producer, [4, 4], [adding(playerId, epoch, { kills: 1, deaths: 1 })]);
  assert.deepEqual(await world.fields(playerId), { kills: 3, deaths: 1 });
  const [row] = await database.rows(
    "select version, format from player_documents where player_id = $1",
    [playerId],
  );
  assert.deepEqual(row, { version: 2, format: 1 });
});

test("what is repeated, overlaps or leaves a gap changes nothing, and is told how far the core is", async () => {
  const { playerId, epoch } = await owned();
  const producer = newProducer();
  const items = [adding(playerId, epoch, { kills: 1 })];
  await world.batch(producer, [1, 5], items);
  for (const cut of [
    [1, 5],
    [3, 7],
    [5, 6],
    [7, 8],
  ] as const) {
    const answer = await world.batch(producer, cut, items);
    assert.deepEqual(answer, {
      outcome: "out_of_sequence",
      lastSeq: 5,
      flushedSeq: 5,
      coreTerm: 1,
    });
  }
  assert.deepEqual(await world.fields(playerId), { kills: 1 });
  const asked = await world.batch(producer, [6, 5], []);
  assert.deepEqual([asked.outcome, asked.lastSeq], ["applied", 5]);
});

test("the same batch sent many times at once is applied once", async () => {
  const { playerId, epoch } = await owned();
  const producer = newProducer();
  const items = [adding(playerId, epoch, { kills: 1 })];
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => world.batch(producer, [1, 2], items)),
  );
  assert.equal(answers.filter(({ outcome }) => outcome === "applied").length, 1);
  for (const { lastSeq } of answers) assert.equal(lastSeq, 2);
  assert.deepEqual(await world.fields(playerId), { kills: 1 });
});

test("a closed outbox is closed for good, also one of which nothing was applied", async () => {
  const { playerId, epoch } = await owned();
  const items = [adding(playerId, epoch, { kills: 1 })];
  const [used, unused] = [newProducer(), newProducer()];
  await world.batch(used, [1, 4], items);
  for (const [producer, lastSeq] of [
    [used, 4],
    [unused, 0],
  ] as const) {
    const request = { producerId: producer as never };
    const closed = await states.closeProducer(beijing1, request);
    assert.deepEqual(closed, { lastSeq, flushedSeq: lastSeq, coreTerm: 1 });
    assert.deepEqual(await states.closeProducer(beijing1, request), closed);
    const late = await world.batch(producer, [lastSeq + 1, lastSeq + 1], items);
    assert.deepEqual([late.outcome, late.lastSeq], ["closed", lastSeq]);
  }
  assert.deepEqual(await world.fields(playerId), { kills: 1 });
});

test("a close waits for a batch under way: it says how far that came", async () => {
  const { playerId, epoch } = await owned();
  const producer = newProducer();
  const items = [adding(playerId, epoch, { kills: 1 })];
  const [applied, closed] = await Promise.all([
    world.batch(producer, [1, 1], items),
    states.closeProducer(beijing1, { producerId: producer as never }),
  ]);
  const counted = applied.outcome === "applied";
  assert.equal(closed.lastSeq, counted ? 1 : 0);
  assert.deepEqual(await world.fields(playerId), counted ? { kills: 1 } : undefined);
});

test("outboxes with the same players at once: nothing is lost, nobody waits for ever", async () => {
  const players = await Promise.all(Array.from({ length: 40 }, () => owned()));
  const rounds = 6;
  await Promise.all(
    Array.from({ length: 4 }, async (_, n) => {
      const producer = newProducer();
      // In another order each, so that locks would be taken crosswise.
      const order = players.map((_, at) => players[(at * (2 * n + 1)) % players.length]);
      for (let seq = 1; seq <= rounds; seq += 1) {
        const items = order.flatMap((one) =>
          one ? [adding(one.playerId, one.epoch, { kills: 1 })] : [],
        );
        const answer = await world.batch(producer, [seq, seq], items);
        assert.equal(answer.outcome === "applied" && answer.refused, 0);
      }
    }),
  );
  for (const [at, { playerId }] of players.entries()) {
    // 40 and 5 have a common factor: that outbox names some players more than once.
    const times = [1, 3, 5, 7].map(
      (step) => players.filter((_, from) => (from * step) % players.length === at).length,
    );
    const kills = times.reduce((sum, one) => sum + one, 0) * rounds;
    assert.deepEqual(await world.fields(playerId), kills ? { kills } : undefined);
  }
});

test("what somebody else wrote since is what the next change is made on", async () => {
  const { playerId, epoch } = await owned();
  const producer = newProducer();
  await world.batch(producer, [1, 1], [adding(playerId, epoch, { kills: 1 })]);
  await database.run(
    `update player_documents set fields = '{"kills": 50}', version = version + 1
     where player_id = $1`,
    [playerId],
  );
  const answer = await world.batch(producer, [2, 2], [adding(playerId, epoch, { kills: 1 })]);
  assert.deepEqual([answer.outcome, answer.lastSeq], ["applied", 2]);
  assert.deepEqual(await world.fields(playerId), { kills: 51 });
});

test("each reason for a refusal, and only what is refused is not applied", async () => {
  const superseded = await owned();
  const newEpoch = await (async () => {
    await world.batch(newProducer(), [1, 1], [release(superseded.playerId, superseded.epoch)]);
    return await granted(world.load(superseded.playerId, shanghai1));
  })();
  const released = await owned();
  const kept = await owned();
  const large = "x".repeat(DOCUMENT_BYTES_MAX);
  // Three bytes each: what is bounded are bytes, not characters.
  const wide = "文".repeat(DOCUMENT_BYTES_MAX / 3);
  const many = Object.fromEntries(Array.from({ length: FIELDS_MAX + 1 }, (_, n) => [`f${n}`, n]));
  const items: OutboxItem[] = [
    adding(superseded.playerId, superseded.epoch, { kills: 1 }),
    adding(superseded.playerId, [7, 1], { kills: 1 }),
    adding(released.playerId, released.epoch, { kills: 1 }),
    release(released.playerId, released.epoch),
    adding(released.playerId, released.epoch, { kills: 1 }),
    setting(kept.playerId, kept.epoch, { a: large }),
    setting(kept.playerId, kept.epoch, { a: wide }),
    setting(kept.playerId, kept.epoch, many),
    setting(kept.playerId, kept.epoch, { a: "\0" }),
    setting(kept.playerId, kept.epoch, { a: ["\ud800"] }),
    adding(kept.playerId, kept.epoch, { kills: 5 }),
  ];
  const answer = await world.batch(newProducer(), [1, 1], items);
  assert.equal(answer.outcome === "applied" && answer.refused, 8);
  const reasons = async (of: typeof kept) =>
    (await world.refusedOf(of.playerId)).map(({ reason }) => reason);
  assert.deepEqual(await reasons(superseded), ["superseded", "unknown_epoch"]);
  assert.deepEqual(await reasons(released), ["released"]);
  const big = ["too_large", "too_large", "too_large"];
  assert.deepEqual(await reasons(kept), [...big, "unstorable", "unstorable"]);
  assert.deepEqual(await world.fields(kept.playerId), { kills: 5 });
  assert.deepEqual(await world.fields(released.playerId), { kills: 1 });
  const [first] = await world.refusedOf(superseded.playerId);
  assert.deepEqual(first?.item, items[0]);
  const next = adding(superseded.playerId, newEpoch, { kills: 2 });
  await world.batch(newProducer("shanghai-1"), [1, 1], [next]);
  assert.deepEqual(await world.fields(superseded.playerId), { kills: 2 });
});

test("an epoch that nobody can have been granted counts for nothing", async () => {
  const playerId = await world.newPlayer();
  const answer = await world.batch(newProducer(), [1, 1], [adding(playerId, [0, 0], { kills: 1 })]);
  assert.equal(answer.outcome === "applied" && answer.refused, 1);
  assert.equal(await world.fields(playerId), undefined);
});

test("an owner whom a lost database had granted goes on, and is an owner like any other", async () => {
  const playerId = await world.newPlayer();
  const late = await world.batch(newProducer(), [1, 1], [adding(playerId, [1, 9], { kills: 1 })]);
  assert.equal(late.outcome === "applied" && late.refused, 1, "of its own term it knows them all");
  world.raiseTerm(2);
  await world.batch(newProducer(), [1, 1], [adding(playerId, [1, 9], { kills: 1 })]);
  assert.deepEqual(await world.fields(playerId), { kills: 1 });
  assert.equal((await world.load(playerId, shanghai1)).outcome, "wait");
  await world.batch(newProducer(), [1, 1], [release(playerId, [1, 9])]);
  assert.deepEqual(await granted(world.load(playerId, shanghai1)), [2, 10]);
  world.raiseTerm(1);
});

test("a deleted player's changes are refused, and nothing of the player is kept", async () => {
  const [gone, there] = [await owned(), await owned()];
  const producer = newProducer();
  const items = () => [
    adding(gone.playerId, gone.epoch, { kills: 1 }),
    adding(gone.playerId, [9, 9], { kills: 1 }),
    adding(there.playerId, there.epoch, { kills: 1 }),
  ];
  await world.batch(producer, [1, 1], items());
  assert.equal((await world.refusedOf(gone.playerId)).length, 1);
  await database.run("delete from players where id = $1", [gone.playerId]);
  const late = await world.batch(producer, [2, 2], items());
  assert.equal(late.outcome === "applied" && late.refused, 2);
  assert.equal(await world.fields(gone.playerId), undefined);
  assert.deepEqual(await world.refusedOf(gone.playerId), []);
  assert.deepEqual(await world.fields(there.playerId), { kills: 2 });
});

test("a deletion waits for a batch that is under way, and leaves nothing of it", async () => {
  const players = await Promise.all(Array.from({ length: 30 }, () => owned()));
  const producer = newProducer();
  let stopped = false;
  let seq = 0;
  const flood = (async () => {
    while (!stopped) {
      seq += 1;
      const items = players.map((one) => adding(one.playerId, one.epoch, { kills: 1 }));
      const answer = await world.batch(producer, [seq, seq], items);
      assert.equal(answer.outcome, "applied");
    }
  })();
  await until("the first batches", () => seq > 2);
  for (const { playerId } of players) {
    await database.run("delete from players where id = $1", [playerId]);
  }
  const atLast = seq;
  await until("one more batch", () => seq > atLast + 1);
  stopped = true;
  await flood;
  const ids = players.map(({ playerId }) => playerId);
  for (const table of ["player_owners", "player_documents", "refused_changes"]) {
    const left = await database.rows(`select 1 from ${table} where player_id = any($1::uuid[])`, [
      ids,
    ]);
    assert.deepEqual(left, [], table);
  }
});

test("another region can neither change nor release a player by naming the owner's epoch", async () => {
  const { playerId, epoch } = await owned();
  const foreign = newProducer("shanghai-1");
  const items = [adding(playerId, epoch, { kills: 9 }), release(playerId, epoch)];
  const answer = await world.batch(foreign, [1, 1], items);
  assert.equal(answer.outcome === "applied" && answer.refused, 1);
  await world.batch(newProducer(), [1, 1], [adding(playerId, epoch, { kills: 1 })]);
  assert.deepEqual(await world.fields(playerId), { kills: 1 });
});
