/** Players' state over the link: who may send what, how large, and what comes back. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import pg from "pg";
import { isFailure } from "../../shared/errors.ts";
import { uuidV7 } from "../../shared/ids.ts";
import {
  BATCH_ITEMS_MAX,
  BatchAnswer,
  CloseProducerAnswer,
  LoadAnswer,
  LoadManyAnswer,
} from "../../shared/protocol/player-state.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const core = await startTestCore();
const region = await startTestRegion({ core, name: "beijing" });
await region.beat();
after(async () => {
  await region.stop();
  await core.stop();
});

async function newPlayer(): Promise<string> {
  const id = uuidV7(Date.now(), randomBytes(10));
  const client = new pg.Client({ connectionString: core.databaseUrl });
  await client.connect();
  try {
    await client.query(
      "insert into meridian.players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
      [id],
    );
    await client.query(
      `insert into meridian.sessions (player_id, epoch_term, epoch_n, updated_at)
       values ($1, 1, 100, now())`,
      [id],
    );
  } finally {
    await client.end();
  }
  return id;
}

const calls = { peer: { role: "core" }, address: core.linkAddress, deadlineMs: 10_000 } as const;

function batch(body: unknown) {
  return region.client.call({ ...calls, path: "/link/batch", body, answer: BatchAnswer });
}

function load(playerId: string, change: object = {}) {
  const body = {
    loadId: "load-over-the-link",
    nodeId: region.nodeId,
    playerId,
    sessionEpoch: [1, 1],
    collections: ["stats"],
    ...change,
  };
  return region.client.call({ ...calls, path: "/link/players/load", body, answer: LoadAnswer });
}

test("a player is loaded, changed, released and loaded again", async () => {
  const playerId = await newPlayer();
  const first = await load(playerId);
  assert.deepEqual(first, { outcome: "granted", stateEpoch: [1, 1], documents: [] });
  const of = { playerId, stateEpoch: [1, 1] };
  const answer = await batch({
    producerId: `${region.nodeId}/0/1`,
    fromSeq: 1,
    toSeq: 2,
    items: [
      { ...of, collection: "stats", format: 1, set: { name: "艾达" }, add: { kills: 2 } },
      { ...of, release: true },
    ],
  });
  const standing = { lastSeq: 2, flushedSeq: 2, coreTerm: 1 };
  assert.deepEqual(answer, { outcome: "applied", ...standing, refused: 0 });
  const second = await load(playerId, { loadId: "the-next-load", sessionEpoch: [1, 2] });
  assert.deepEqual(second, {
    outcome: "granted",
    stateEpoch: [1, 2],
    documents: [{ collection: "stats", format: 1, version: 1, fields: { name: "艾达", kills: 2 } }],
  });
  assert.deepEqual(await load(playerId, { loadId: "still-another", sessionEpoch: [1, 3] }), {
    outcome: "wait",
    retryAfterMs: 60,
    yours: [1, 2],
  });
  const closed = await region.client.call({
    ...calls,
    path: "/link/outbox/close",
    body: { producerId: `${region.nodeId}/0/1` },
    answer: CloseProducerAnswer,
  });
  assert.deepEqual(closed, standing);
});

test("players of one room are loaded by one call, each with an answer of its own", async () => {
  const [ada, grace] = [await newPlayer(), await newPlayer()];
  const load = (playerId: string, n: number) => ({
    loadId: `one-of-many-${n}`,
    playerId,
    sessionEpoch: [1, n],
    collections: ["stats"],
  });
  const { answers } = await region.client.call({
    ...calls,
    path: "/link/players/load-many",
    body: { nodeId: region.nodeId, loads: [load(ada, 1), load(grace, 1_000), load(ada, 2)] },
    answer: LoadManyAnswer,
  });
  assert.deepEqual(
    answers.map((one) => ("error" in one ? one.error.kind : one.outcome)),
    ["granted", "forbidden", "wait"],
  );
});

test("the largest batch there may be is taken", async () => {
  const playerId = await newPlayer();
  await load(playerId, { loadId: "for-a-large-batch" });
  const text = "x".repeat(1_800);
  const items = Array.from({ length: BATCH_ITEMS_MAX }, (_, n) => {
    const set = { [`field${n % 10}`]: text };
    return { playerId, stateEpoch: [1, 1], collection: "stats", format: 1, set };
  });
  const body = { producerId: `${region.nodeId}/1/1`, fromSeq: 1, toSeq: 1, items };
  assert.ok(JSON.stringify(body).length > 3_500_000);
  assert.equal((await batch(body)).outcome, "applied");
  const more = { ...body, items: [...items, ...items] };
  await assert.rejects(batch(more), (e) => isFailure(e, "payload_too_large"));
});

test("what is malformed is refused as a whole, and another region's outbox is nobody else's", async () => {
  const playerId = await newPlayer();
  const change = { playerId, stateEpoch: [1, 1], collection: "stats", format: 1 };
  const good = { producerId: `${region.nodeId}/2/1`, fromSeq: 1, toSeq: 1, items: [change] };
  for (const bad of [
    { fromSeq: 0 },
    { toSeq: 0 },
    { fromSeq: 3, toSeq: 1, items: [] },
    { producerId: "beijing/0/1" },
    { producerId: "beijing-1/0" },
    { items: [{ ...change, set: { "1": 1 } }] },
    { items: [{ ...change, set: { constructor: 1 } }] },
    { items: [{ ...change, add: { kills: 0.5 } }] },
    { items: [{ ...change, add: { kills: 2 ** 53 } }] },
    { items: [{ ...change, collection: "__proto__" }] },
    { items: [{ ...change, format: 2 ** 31 }] },
    { items: [{ playerId, stateEpoch: [1, 1], release: false }] },
  ]) {
    const about = JSON.stringify(bad);
    await assert.rejects(batch({ ...good, ...bad }), (e) => isFailure(e, "bad_request"), about);
  }
  const foreign = { ...good, producerId: "shanghai-1/0/1" };
  await assert.rejects(batch(foreign), (e) => isFailure(e, "forbidden"));
  const other = load(playerId, { nodeId: "shanghai-1" });
  await assert.rejects(other, (e) => isFailure(e, "forbidden"));
  const unknown = load(playerId, { nodeId: "beijing-99" });
  await assert.rejects(unknown, (e) => isFailure(e, "unavailable"));
});

test("an outbox is drained for its own node only", async () => {
  const closing = region.client.call({
    ...calls,
    path: "/link/outbox/close",
    body: { producerId: `${region.nodeId}/3/1`, drainedNode: "beijing-7" },
    answer: CloseProducerAnswer,
  });
  await assert.rejects(closing, (e) => isFailure(e, "bad_request"));
});
