/**
 * A standby follows a primary that was killed, while the log did not get through to it: what players were told
 * is saved is there, and what was only applied is sent once more and counts once.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import pg from "pg";
import { Database } from "../../core/db/database.ts";
import { readMigrations } from "../../core/db/migrate.ts";
import { StandbyReads } from "../../core/db/stale-reads.ts";
import { startTestCore } from "../../core/test-core.ts";
import { startTestPair, type TestPair } from "../../infra/postgres/pair/test-pair.ts";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { signalProcess } from "../../infra/process/pid.ts";
import { freePort } from "../../infra/process/port.ts";
import { TestRedis } from "../../infra/redis/test-redis.ts";
import { RegionRedis } from "../../region/redis/region-redis.ts";
import { systemClock } from "../../shared/clock.ts";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../until.ts";
import { REGION, TestRegion } from "./test-region.ts";

/** The real standby is read while it is young enough, and the primary when it is not. */
async function staleReads({ pair }: TestPair): Promise<void> {
  const common = {
    clock: systemClock,
    log: createLog("core", "silent"),
    metrics: createMetrics({}),
  };
  const url = pair.primary.url ?? "";
  const migrations = readMigrations();
  const primary = new Database({
    ...common,
    url,
    ownerUrl: url,
    connectionsMax: 2,
    startDeadlineMs: 0,
    migrations,
  });
  await primary.start();
  for (const [lagMaxMs, recovers] of [
    [NEVER_MS, true],
    [-1, false],
  ] as const) {
    const metrics = createMetrics({});
    const reads = new StandbyReads({
      ...common,
      metrics,
      url: pair.standby.url,
      lagMaxMs,
      primary,
    });
    const answer = await reads.oneMoment((one) =>
      one.rows("select pg_is_in_recovery() as recovers"),
    );
    assert.deepEqual(answer, [{ recovers }]);
    await reads.stop();
  }
  await primary.stop();
}

/** The standby counts as lost after the test has killed the primary, however slow the machine is. */
const NEVER_MS = 600_000;

test("what is saved survives a promotion, what is only applied is sent again and counts once", async (t) => {
  const database = await startTestPair({ lostMs: NEVER_MS });
  const authority = await createAuthority();
  const settings = {
    MASTER_KEY: randomBytes(32).toString("base64"),
    CORE_LINK_PORT: String(await freePort()),
  };
  const startCore = () =>
    startTestCore({ ...settings, DATABASE_URL: database.pair.primary.url ?? "" }, authority);
  const server = await TestRedis.start();
  const redis = new RegionRedis({
    url: server.url,
    regionId: REGION,
    clock: systemClock,
    log: createLog("region", "silent"),
    metrics: createMetrics({}),
  });
  await redis.start();
  let core = await startCore();
  const issued = await authority.issue({ role: "region", regionId: REGION });
  const identity = new LinkIdentity({ ca: authority.caPem, ...issued });
  const node = await TestRegion.start(1, { identity, coreAddress: core.linkAddress, redis });
  t.after(async () => {
    await node.die();
    redis.stop();
    await server.stop();
    await core.stop();
    await database.stop();
  });
  const rows = async (text: string, values: unknown[] = []) => {
    const connectionString = database.pair.primary.url;
    const options = "-c search_path=meridian -c synchronous_commit=local";
    const client = new pg.Client({ connectionString, options });
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  };
  const ada = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
  await rows(
    "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
    [ada],
  );
  await rows(
    "insert into sessions (player_id, epoch_term, epoch_n, updated_at) values ($1, 1, 9, now())",
    [ada],
  );
  const stored = async () =>
    (await rows("select fields from player_documents where player_id = $1", [ada]))[0]?.fields;

  await database.promotable();
  const room = await node.claimRoom();
  const bag = await node.own(ada, [1, 1]);
  bag.add("bag", "gold", 5);
  await node.credit(room, ada, 5, "before");
  await until("saved", () => bag.savedRevision === bag.revision);
  const [before] = await rows("select term from core_term");
  await staleReads(database);

  for (const link of Object.values(database.links)) link.halfOpen();
  bag.add("bag", "gold", 30);
  await until("applied", async () => (await stored())?.gold === 35);
  assert.ok(bag.savedRevision < bag.revision, "nobody may say that it is saved");
  const { pid } = database.pair.primary;
  assert.ok(pid);
  signalProcess(pid, "SIGKILL");
  await until("the promotion", () => database.pair.mark.generation === 2 && database.pair.serves);
  assert.deepEqual(await stored(), { gold: 5 }, "what was saved, and no more");
  const [after] = await rows("select term from core_term");
  assert.ok(Number(after.term) > Number(before.term), "the term has risen");

  await core.stop();
  core = await startCore();
  await until("what was applied is sent again", async () => (await stored())?.gold === 35);
  await until("saved", () => bag.savedRevision === bag.revision);
  await node.credit(room, ada, 10, "after");
  await node.credit(room, ada, 5, "before");
  const [{ balance }] = await rows("select balance::int from wallets where currency = 'coin'");
  assert.equal(balance, 15);
  bag.leave();
  const next = await node.own(ada, [1, 2]);
  assert.deepEqual(next.get("bag"), { gold: 35 });
});
