/**
 * Back up, play on, restore, drain the outboxes: a core whose database goes back to a backup, while a region
 * plays on. A real PostgreSQL is copied and put back, and the operators' own command raises the term.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { startTestCore } from "../../core/test-core.ts";
import { startPostgres } from "../../infra/postgres/embedded.ts";
import { createAuthority } from "../../infra/private-link/authority.ts";
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

const RAISE_TERM = fileURLToPath(new URL("../../core/db/raise-term.ts", import.meta.url));

/** With owners and rights, which PostgreSQL looks at. */
async function copy(from: string, to: string): Promise<void> {
  await promisify(execFile)("cp", ["-a", from, to]);
}

test("back up, play on, restore, drain the outboxes: nothing is lost, nothing is doubled", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "meridian-restored-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const dataDir = join(dir, "postgres");
  const port = await freePort();
  const authority = await createAuthority();
  const settings = {
    MASTER_KEY: randomBytes(32).toString("base64"),
    CORE_LINK_PORT: String(await freePort()),
  };
  let postgres = await startPostgres({ dataDir, port });
  const startCore = () => startTestCore({ ...settings, DATABASE_URL: postgres.url }, authority);
  let core = await startCore();
  const rows = async (text: string, values: unknown[] = []) => {
    const client = new pg.Client({
      connectionString: postgres.url,
      options: "-c search_path=meridian",
    });
    await client.connect();
    try {
      return (await client.query(text, values)).rows;
    } finally {
      await client.end();
    }
  };
  const newPlayer = async () => {
    const id = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
    await rows(
      "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
      [id],
    );
    await rows(
      "insert into sessions (player_id, epoch_term, epoch_n, updated_at) values ($1, 1, 9, now())",
      [id],
    );
    return id;
  };
  const stored = async (id: PlayerId) =>
    (await rows("select fields from player_documents where player_id = $1", [id]))[0]?.fields;

  const server = await TestRedis.start();
  const redis = new RegionRedis({
    url: server.url,
    regionId: REGION,
    clock: systemClock,
    log: createLog("region", "silent"),
    metrics: createMetrics({}),
  });
  await redis.start();
  const issued = await authority.issue({ role: "region", regionId: REGION });
  const identity = new LinkIdentity({ ca: authority.caPem, ...issued });
  const node = await TestRegion.start(1, { identity, coreAddress: core.linkAddress, redis });
  t.after(async () => {
    await node.die();
    redis.stop();
    await server.stop();
    await core.stop();
    await postgres.stop();
  });

  const [ada, bea] = [await newPlayer(), await newPlayer()];
  const room = await node.claimRoom();
  const bag = await node.own(ada, [1, 1]);
  bag.add("bag", "gold", 5);
  await node.credit(room, ada, 5, "before");
  await until("saved", () => bag.savedRevision === bag.revision);

  await core.stop();
  await postgres.stop();
  await copy(dataDir, join(dir, "backup"));
  postgres = await startPostgres({ dataDir, port });
  core = await startCore();

  // Played on: of all this the backup knows nothing.
  bag.add("bag", "gold", 30);
  const beasBag = await node.own(bea, [1, 1]);
  beasBag.set("bag", { gold: 7 });
  for (const cause of ["one", "two", "three"]) await node.credit(room, ada, 10, cause);
  const later = await node.claimRoom();
  await node.credit(later, bea, 3, "in-a-room-of-which-the-backup-knows-nothing");
  await until("all of it is saved", () => {
    return bag.savedRevision === bag.revision && beasBag.savedRevision === beasBag.revision;
  });
  const epochs = await rows("select epoch_term, epoch_n from player_owners");

  await core.stop();
  bag.add("bag", "gold", 400);
  await postgres.stop();
  rmSync(dataDir, { recursive: true });
  await copy(join(dir, "backup"), dataDir);
  postgres = await startPostgres({ dataDir, port });
  const env = { ...process.env, DATABASE_URL: postgres.url, DATABASE_OWNER_URL: "" };
  await promisify(execFile)(process.execPath, [RAISE_TERM], { env });
  assert.deepEqual(await stored(ada), { gold: 5 }, "it is the backup");
  core = await startCore();

  await until("the documents are those that were played", async () => {
    return (await stored(ada))?.gold === 435 && (await stored(bea))?.gold === 7;
  });
  const balances = () =>
    rows("select player_id, balance::int from wallets where currency = 'coin' order by balance");
  await until("what was paid is booked again", async () => (await balances()).length === 2);
  await until("all of it", async () => (await balances())[1]?.balance === 35);
  await node.credit(room, ada, 1, "after");
  await node.credit(room, ada, 10, "two");
  assert.deepEqual(await balances(), [
    { player_id: bea, balance: 3 },
    { player_id: ada, balance: 36 },
  ]);
  const [{ sum }] = await rows("select sum(amount)::int as sum from ledger");
  assert.equal(sum, 0);
  const again = await rows("select 1 from ops group by op_id having count(*) > 1");
  assert.deepEqual(again, []);

  bag.leave();
  const next = await node.own(ada, [1, 2]);
  assert.deepEqual(next.get("bag"), { gold: 435 });
  const [granted] = await rows("select epoch_term from player_owners where player_id = $1", [ada]);
  assert.ok(
    epochs.every(({ epoch_term: term }) => granted.epoch_term > term),
    "no epoch twice",
  );
});
