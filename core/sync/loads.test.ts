/** Who owns a player's state: one session at one node, each after the one before has written all. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { LoadRequest } from "../../shared/protocol/player-state.ts";
import { until } from "../../test/until.ts";
import { ORPHAN_DRAIN_MS } from "./owner-lives.ts";
import { freePlayersOf } from "./owner-store.ts";
import {
  adding,
  beijing1,
  beijing2,
  granted,
  release,
  type senderOf,
  shanghai1,
  startTestStates,
} from "./test-states.ts";

const world = await startTestStates();
after(() => world.drop());
const { states, database } = world;

let producers = 0;
function newProducer(node = "beijing-1"): string {
  producers += 1;
  // Each is an outbox of its own: no incarnation of another.
  return `${node}/${producers}/1`;
}

async function placed(playerId: PlayerId, [term, n]: Epoch): Promise<void> {
  await database.run(
    `insert into sessions (player_id, epoch_term, epoch_n, placed_term, placed_n, updated_at)
     values ($1, $2, $3, $2, $3, now()) on conflict (player_id) do update
     set placed_term = excluded.placed_term, placed_n = excluded.placed_n`,
    [playerId, term, n],
  );
}

test("a load waits until the owner before has released the player, and finds all its changes", async () => {
  const playerId = await world.newPlayer();
  const first = await granted(world.load(playerId, beijing1));
  assert.equal((await world.load(playerId, shanghai1)).outcome, "wait");
  await world.batch(
    newProducer(),
    [1, 2],
    [
      adding(playerId, first, { kills: 4 }),
      { ...adding(playerId, first, { done: 1 }), collection: "quests", format: 3 },
      { ...adding(playerId, first, { other: 1 }), collection: "other" },
      release(playerId, first),
    ],
  );
  const answer = await world.load(playerId, shanghai1);
  assert.deepEqual(answer, {
    outcome: "granted",
    stateEpoch: [1, 2],
    documents: [
      { collection: "quests", format: 3, version: 1, fields: { done: 1 } },
      { collection: "stats", format: 1, version: 1, fields: { kills: 4 } },
    ],
  });
});

test("a load sent again gets the same epoch; its id with another body is a conflict", async () => {
  const playerId = await world.newPlayer();
  const same: Partial<LoadRequest> = { loadId: "one-and-the-same", sessionEpoch: [1, 1] };
  const epoch = await granted(world.load(playerId, beijing1, same));
  const again = await Promise.all(
    Array.from({ length: 6 }, () => granted(world.load(playerId, beijing1, same))),
  );
  for (const one of again) assert.deepEqual(one, epoch);
  await assert.rejects(world.load(playerId, beijing2, same), (e) => isFailure(e, "conflict"));
  const other = { ...same, sessionEpoch: [1, 2] as const };
  await assert.rejects(world.load(playerId, beijing1, other), (e) => isFailure(e, "conflict"));
});

test("the same load sent twice at once as the first ever is one grant", async () => {
  for (let n = 0; n < 10; n += 1) {
    const playerId = await world.newPlayer();
    const same: Partial<LoadRequest> = { loadId: `first-ever-${n}`, sessionEpoch: [1, 1] };
    const epochs = await Promise.all(
      Array.from({ length: 5 }, () => granted(world.load(playerId, beijing1, same))),
    );
    for (const epoch of epochs) assert.deepEqual(epoch, [1, 1]);
  }
});

test("a session that a newer one has overtaken gets nothing", async () => {
  const playerId = await world.newPlayer();
  await placed(playerId, [1, 1_000_000]);
  await assert.rejects(world.load(playerId, beijing1), (e) => isFailure(e, "session_taken_over"));
  const newest = { sessionEpoch: [1, 1_000_000] as const };
  const epoch = await granted(world.load(playerId, beijing1, newest));
  await world.batch(newProducer(), [1, 1], [release(playerId, epoch)]);
  await placed(playerId, [1, 1]);
  // Its seat is not known any more, but it has owned the player.
  await assert.rejects(world.load(playerId, beijing1), (e) => isFailure(e, "session_taken_over"));
});

test("a session that was never granted gets nothing, and shuts out nobody", async () => {
  const playerId = await world.newPlayer();
  for (const sessionEpoch of [
    [1, 1_000_001],
    [2, 1],
  ] as const) {
    const load = world.load(playerId, beijing1, { sessionEpoch });
    await assert.rejects(load, (error) => isFailure(error, "forbidden"));
  }
  await granted(world.load(playerId, beijing1));
});

test("nobody can load a player who is not there", async () => {
  const playerId = await world.newPlayer();
  await database.run("delete from players where id = $1", [playerId]);
  await assert.rejects(world.load(playerId, beijing1), (e) => isFailure(e, "account_deleted"));
});

test("an owner that is gone is waited for a while, then its late changes are refused", async () => {
  const playerId = await world.newPlayer();
  const epoch = await granted(world.load(playerId, beijing1));
  world.alive.delete(beijing1.nodeId);
  try {
    assert.equal((await world.load(playerId, shanghai1)).outcome, "wait");
    const producer = newProducer();
    await world.batch(producer, [1, 1], [adding(playerId, epoch, { kills: 1 })]);
    world.livesClock.advance(ORPHAN_DRAIN_MS);
    await granted(world.load(playerId, shanghai1));
    await world.batch(producer, [2, 2], [adding(playerId, epoch, { kills: 1 })]);
    assert.deepEqual(await world.fields(playerId), { kills: 1 });
    assert.equal((await world.refusedOf(playerId))[0]?.reason, "superseded");
  } finally {
    world.alive.add(beijing1.nodeId);
  }
});

test("a fence frees the players of its region at once, and no others", async () => {
  const [here, there] = [await world.newPlayer(), await world.newPlayer()];
  const epoch = await granted(world.load(here, beijing1));
  await granted(world.load(there, shanghai1));
  await database.transaction((tx) => freePlayersOf(tx, beijing1.regionId, new Date()));
  const next = await granted(world.load(here, shanghai1));
  assert.ok(compareEpochs(next, epoch) > 0);
  assert.equal((await world.load(there, beijing1)).outcome, "wait");
});

test("whom a fence has freed is the former owner's again if that one writes before another loads", async () => {
  const player = await world.newPlayer();
  const epoch = await granted(world.load(player, beijing1));
  await database.transaction((tx) => freePlayersOf(tx, beijing1.regionId, new Date()));
  const producer = newProducer();
  await world.batch(producer, [1, 1], [adding(player, epoch, { kills: 1 })]);
  assert.deepEqual(await world.fields(player), { kills: 1 });
  assert.equal((await world.load(player, shanghai1)).outcome, "wait");
  const marker = { playerId: player, stateEpoch: epoch, release: true } as const;
  await world.batch(producer, [2, 2], [marker]);
  await granted(world.load(player, shanghai1));
});

test("a dead node's players are free when its outbox was sent to its end; a living one's are not", async () => {
  const [left, stays] = [await world.newPlayer(), await world.newPlayer()];
  await granted(world.load(left, beijing2));
  await granted(world.load(stays, beijing1));
  const close = async (by: ReturnType<typeof senderOf>) => {
    const producerId = newProducer(by.nodeId) as never;
    await states.closeProducer(by, { producerId, drainedNode: by.nodeId });
  };
  world.alive.delete(beijing2.nodeId);
  await close(beijing2);
  await close(beijing1);
  world.alive.add(beijing2.nodeId);
  await granted(world.load(left, shanghai1));
  assert.equal((await world.load(stays, shanghai1)).outcome, "wait");
});

test("many loads at once get different epochs, one after the other", async () => {
  const playerId = await world.newPlayer();
  const got: Epoch[] = [];
  const nodes = [beijing1, beijing2, shanghai1];
  const sessions = new Set(Array.from({ length: 12 }, (_, n) => n + 1));
  const inBetween: number[] = [];
  await Promise.all(
    [...sessions].map(async (session) => {
      const by = nodes[session % nodes.length] ?? beijing1;
      const request = { loadId: `session-${session}`, sessionEpoch: [1, session] as const };
      for (;;) {
        const answer = await world.load(playerId, by, request).catch((error: unknown) => {
          assert.ok(isFailure(error, "session_taken_over"));
          return undefined;
        });
        if (!answer) return;
        if (answer.outcome === "wait") continue;
        inBetween.push(answer.documents[0]?.fields.owners as number);
        got.push(answer.stateEpoch);
        await world.batch(
          newProducer(by.nodeId),
          [1, 1],
          [
            adding(playerId, answer.stateEpoch, { owners: 1 }),
            release(playerId, answer.stateEpoch),
          ],
        );
        return;
      }
    }),
  );
  got.forEach((epoch, at) => {
    assert.ok(at === 0 || compareEpochs(epoch, got[at - 1] ?? epoch) > 0, String(epoch));
    // Each finds what all before it have written.
    assert.equal(inBetween[at], at === 0 ? undefined : at);
  });
  assert.ok(got.length >= 1);
});

test("players who are loaded together are each decided alone", async () => {
  const [ada, grace, edsger, nobody] = [
    await world.newPlayer(),
    await world.newPlayer(),
    await world.newPlayer(),
    await world.newPlayer(),
  ];
  await database.run("delete from players where id = $1", [nobody]);
  const first = await granted(world.load(ada, beijing1));
  await world.batch(newProducer(), [1, 1], [adding(ada, first, { kills: 4 }), release(ada, first)]);
  await granted(world.load(grace, beijing1));
  const load = (playerId: PlayerId, loadId: string, n = 1_000) => ({
    loadId,
    nodeId: shanghai1.nodeId,
    playerId,
    sessionEpoch: [1, n] as Epoch,
    collections: ["stats", "quests"],
  });
  const together = [
    load(grace, "together-1"),
    load(ada, "together-2"),
    load(nobody, "together-3"),
    load(edsger, "together-4"),
    load(edsger, "together-5", 1_001),
    load(ada, "together-6", 999),
  ];
  const answers = await states.loadMany(shanghai1.regionId, together);
  const said = answers.map((one) => (one instanceof Error ? one.kind : one.outcome));
  assert.deepEqual(said, [
    "wait",
    "granted",
    "account_deleted",
    "granted",
    "wait",
    "session_taken_over",
  ]);
  assert.deepEqual(answers[1], {
    outcome: "granted",
    stateEpoch: [1, 2],
    documents: [{ collection: "stats", format: 1, version: 1, fields: { kills: 4 } }],
  });
  const again = await states.loadMany(shanghai1.regionId, together);
  assert.deepEqual([again[1], again[3]], [answers[1], answers[3]], "as before");
});

test("a call that is held hears of the release that it waits for", async () => {
  const [ada, grace] = [await world.newPlayer(), await world.newPlayer()];
  const first = await granted(world.load(ada, beijing1));
  const asked = world.wanted.length;
  const loads = [ada, grace].map((playerId, index) => ({
    loadId: `held-load-${index}`,
    nodeId: shanghai1.nodeId,
    playerId,
    sessionEpoch: [1, 1_000] as Epoch,
    collections: ["stats"],
  }));
  const held = states.loadMany(shanghai1.regionId, loads, 60_000);
  await until("the word to the owner", () => world.wanted.length > asked);
  await world.batch(newProducer(), [1, 1], [adding(ada, first, { kills: 4 }), release(ada, first)]);
  const answers = await held;
  assert.deepEqual(answers, [
    {
      outcome: "granted",
      stateEpoch: [1, 2],
      documents: [{ collection: "stats", format: 1, version: 1, fields: { kills: 4 } }],
    },
    { outcome: "granted", stateEpoch: [1, 1], documents: [] },
  ]);
});

test("no epoch is granted twice, also when the database was put back meanwhile", async () => {
  const playerId = await world.newPlayer();
  const epochs: string[] = [];
  const next = async () => {
    const epoch = await granted(world.load(playerId, beijing1));
    epochs.push(epoch.join("."));
    await world.batch(newProducer(), [1, 1], [release(playerId, epoch)]);
    return epoch;
  };
  await next();
  const [backup] = await database.rows("select * from player_owners where player_id = $1", [
    playerId,
  ]);
  await next();
  await next();
  await database.run(
    "update player_owners set epoch_term = $2, epoch_n = $3, standing = 'held' where player_id = $1",
    [playerId, backup?.epoch_term, backup?.epoch_n],
  );
  world.raiseTerm(2);
  try {
    await world.batch(newProducer(), [1, 1], [release(playerId, [1, 1])]);
    await next();
    assert.equal(new Set(epochs).size, epochs.length);
    assert.deepEqual(epochs, ["1.1", "1.2", "1.3", "2.2"]);
  } finally {
    world.raiseTerm(1);
  }
});
