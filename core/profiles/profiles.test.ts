/**
 * Look-ups on a real database, whose statements are counted: stampedes, players who do not exist, changes by
 * other core processes.
 */
import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, afterEach, beforeEach, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics, type Metrics } from "../../shared/metrics.ts";
import { PROFILES_PER_CALL_MAX } from "../../shared/protocol/profiles.ts";
import { until } from "../../test/until.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { CountedStatements } from "./counted-sql.testkit.ts";
import { KnownIds } from "./known-ids.ts";
import { PlayerChanges } from "./player-changes.ts";
import { ProfileFeed } from "./profile-feed.ts";
import { Profiles } from "./profiles.ts";

const created = await startTestDatabase();
const { database } = created;
after(() => created.drop());

/** One core process, as far as profiles go. */
class Core {
  readonly statements = new CountedStatements();
  readonly metrics: Metrics = createMetrics({});
  readonly changes: PlayerChanges;
  readonly known: KnownIds;
  readonly feed: ProfileFeed;
  readonly profiles: Profiles;

  constructor(chunkRows = 2_000) {
    const { metrics } = this;
    const log = createLog("core", "silent");
    const counted = this.statements.on(database);
    const common = { database: counted, clock: systemClock, log, metrics, random: randomBytes };
    const limits = { chunkRows, restMs: 0, keysMin: 10_000, keysMax: 1e6, renewMs: 3_600_000 };
    this.changes = new PlayerChanges(common);
    this.known = new KnownIds({ ...common, limits });
    this.feed = new ProfileFeed({ ...common, changes: this.changes });
    const { changes, known, feed } = this;
    this.profiles = new Profiles({ ...common, changes, known, feed });
    for (const listener of [this.profiles, known, feed]) changes.listen(listener);
  }

  async start(): Promise<void> {
    this.known.start();
    await this.changes.start();
    await until("the filter to be full", () => this.known.full);
  }

  async stop(): Promise<void> {
    await this.known.stop();
    await this.changes.stop();
  }

  async count(by: string, outcome: string): Promise<number> {
    const metric = await this.metrics.getSingleMetric("meridian_profile_look_ups_total")?.get();
    const found = metric?.values.find(
      ({ labels }) => labels.by === by && labels.outcome === outcome,
    );
    return found?.value ?? 0;
  }
}

let core: Core;
beforeEach(async () => {
  core = new Core();
  await core.start();
});
afterEach(async () => {
  await core.stop();
  await database.run("delete from players");
});

const newId = () => PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));

async function makePlayer(name: string, ephemeral = false): Promise<PlayerId> {
  const id = newId();
  await database.run(
    "insert into players (id, name, ephemeral, created_at) values ($1, $2, $3, now())",
    [id, name, ephemeral],
  );
  return id;
}

/** Many at once: `name 0`, `name 1`, … */
async function makePlayers(count: number, name: string): Promise<PlayerId[]> {
  const ids = Array.from({ length: count }, newId);
  await database.run(
    `insert into players (id, name, ephemeral, created_at)
     select id, $2 || ' ' || n - 1, false, now() from unnest($1::uuid[]) with ordinality made (id, n)`,
    [ids, name],
  );
  return ids;
}

const rename = (id: PlayerId, name: string) =>
  database.run("update players set name = $2 where id = $1", [id, name]);

test("a player is found by id and by name, and gone once deleted", async () => {
  const ada = await makePlayer("Ada");
  const other = await makePlayer("Ada");
  await makePlayer("Ada", true);
  const profile = await core.profiles.find(ada);
  assert.equal(profile?.name, "Ada");
  assert.ok(Date.now() - Date.parse(profile?.createdAt ?? "") < 60_000);
  const namesakes = await core.profiles.namesakes("Ada");
  assert.deepEqual(
    namesakes.map(({ id }) => id),
    [ada, other].sort(),
  );
  assert.deepEqual(await core.profiles.namesakes("ada"), [], "names are taken as they are written");
  await database.run("delete from players where id = $1", [ada]);
  assert.equal(await core.profiles.find(ada), undefined);
});

test("a thousand who look one player up at a time make one query", async () => {
  const ada = await makePlayer("Ada");
  await core.changes.read();
  const looks: (() => Promise<unknown>)[] = [
    () => core.profiles.find(ada),
    () => core.profiles.findAll([ada]),
    () => core.profiles.namesakes("Ada"),
  ];
  for (const look of looks) {
    core.statements.texts.length = 0;
    await Promise.all(Array.from({ length: 1_000 }, look));
    assert.equal(core.statements.lookUps, 1);
  }
});

test("a thousand different players who are asked for at a time make few queries", async () => {
  const ids = await makePlayers(1_000, "Player");
  await core.changes.read();
  core.statements.texts.length = 0;
  const found = await Promise.all(ids.map((id) => core.profiles.find(id)));
  assert.deepEqual(
    found.map((profile) => profile?.id),
    ids,
  );
  assert.equal(core.statements.lookUps, Math.ceil(1_000 / PROFILES_PER_CALL_MAX));
});

test("ten thousand look-ups of players who do not exist make nearly no queries", async () => {
  await makePlayers(2_000, "Player");
  await core.changes.read();
  core.statements.texts.length = 0;
  const beganMs = performance.now();
  const attack = Array.from({ length: 5_000 }, (_, n) => [
    core.profiles.find(n % 2 === 0 ? newId() : PlayerId.parse(randomUUID())),
    core.profiles.namesakes(`Nobody ${n}`),
  ]);
  const found = (await Promise.all(attack.flat())).flat().filter(Boolean);
  const tookMs = Math.round(performance.now() - beganMs);
  assert.deepEqual(found, []);
  const { lookUps } = core.statements;
  const wrong =
    (await core.count("id", "false_positive")) + (await core.count("name", "false_positive"));
  const stopped = (await core.count("id", "stopped")) + (await core.count("name", "stopped"));
  console.log(
    `# 10,000 look-ups: ${stopped} stopped, ${wrong} passed in ${lookUps} queries, ${tookMs} ms`,
  );
  assert.equal(stopped + wrong, 10_000);
  // 0.046% are expected to pass; 30 and more of 10,000 would be one run in millions.
  assert.ok(wrong < 30, `${wrong} passed`);
  assert.ok(lookUps <= wrong);
});

test("whom another core process has just made is found at once, though nobody told of them", async () => {
  const other = new Core();
  await other.start();
  try {
    for (let n = 0; n < 20; n += 1) {
      const id = await makePlayer(`Newest ${n}`);
      assert.equal((await other.profiles.find(id))?.id, id);
      assert.equal((await core.profiles.namesakes(`Newest ${n}`)).length, 1);
    }
  } finally {
    await other.stop();
  }
});

test("whoever was made while the filter was filled is in it", async () => {
  const before = await makePlayers(200, "Before");
  const slow = new Core(10);
  const starting = slow.start();
  const during: PlayerId[] = [];
  // Ids that the filling has passed already, too: they come by the changes.
  while (!slow.known.full) {
    const id = PlayerId.parse(uuidV7(1_000 + during.length, randomBytes(10)));
    await database.run(
      "insert into players (id, name, ephemeral, created_at) values ($1, 'Meanwhile', false, now())",
      [id],
    );
    during.push(id);
  }
  await starting;
  try {
    await slow.changes.read();
    for (const id of [...before, ...during]) assert.ok(slow.known.mayHaveId(id), id);
    assert.ok(during.length > 0);
    assert.equal(slow.known.mayHaveId(newId()), false);
  } finally {
    await slow.stop();
  }
});

test("until the filter is full everything passes", async () => {
  const filling = new Core();
  const held = promised();
  filling.statements.held = held.promise;
  const starting = filling.start();
  assert.equal(filling.known.full, false);
  assert.equal(filling.known.mayHaveId(newId()), true);
  filling.statements.held = undefined;
  held.resolve();
  await starting;
  assert.equal(filling.known.mayHaveId(newId()), false);
  await filling.stop();
});

test("a rename by any process comes by the feed, also of a transaction that commits late", async () => {
  const [ada, bea] = await Promise.all([makePlayer("Ada"), makePlayer("Bea")]);
  await core.changes.read();
  const began = core.feed.place;
  const renamed = promised();
  const commit = promised();
  const late = database.transaction(async (tx) => {
    await tx.run("update players set name = 'Late' where id = $1", [ada]);
    renamed.resolve();
    await commit.promise;
  });
  await renamed.promise;
  await rename(bea, "Early");
  await core.changes.read();
  assert.deepEqual(
    core.feed.news(began).changed,
    [bea],
    "the one that began later is told already",
  );
  const afterBea = core.feed.place;
  commit.resolve();
  await late;
  await core.changes.read();
  const news = core.feed.news(afterBea);
  assert.deepEqual([news.changed, news.flush], [[ada], false]);
  await rename(ada, "Late");
  await core.changes.read();
  assert.deepEqual(core.feed.news(news.place).changed, [], "the same name is no change");
});

test("a read that began before a rename is not joined by who asks after it was told", async () => {
  const ada = await makePlayer("Ada");
  await core.changes.read();
  const began = core.feed.place;
  // The statement of the first look-up is sent, and its answer is long in coming.
  const answer = promised();
  const rows = database.rows.bind(database);
  core.statements.held = undefined;
  database.rows = async (text, values) => {
    const found = await rows(text, values);
    if (text.includes("any($1")) await answer.promise;
    return found as never;
  };
  const early = core.profiles.findAll([ada]);
  await until("the first look-up to be sent", () => core.statements.lookUps === 1);
  database.rows = rows;
  await rename(ada, "Bea");
  await core.changes.read();
  const late = await core.profiles.findAll([ada]);
  assert.equal(late.profiles[0]?.name, "Bea");
  answer.resolve();
  const old = await early;
  assert.equal(old.profiles[0]?.name, "Ada");
  assert.deepEqual(old.asOf, began, "so the region knows that it is of before the change");
  assert.ok(late.asOf.seq > old.asOf.seq);
});

test("with the database away look-ups fail as such, and nothing is said not to exist", async () => {
  const ada = await makePlayer("Ada");
  core.statements.failure = new MeridianError("unavailable");
  const unavailable = (error: unknown) => isFailure(error, "unavailable");
  await assert.rejects(core.profiles.find(ada), unavailable);
  await assert.rejects(core.profiles.find(newId()), unavailable);
  const agedMs = core.feed.news(undefined).ageMs;
  await core.changes.read();
  assert.ok(core.feed.news(undefined).ageMs >= agedMs, "the feed says how old it is");
  core.statements.failure = undefined;
  assert.equal((await core.profiles.find(ada))?.name, "Ada");
});

function promised(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
