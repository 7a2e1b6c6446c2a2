import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { Database } from "./database.ts";
import { readMigrations } from "./migrate.ts";
import { createTestDatabase } from "./test-database.ts";

const command = [join(import.meta.dirname, "main.ts")];
const created = await createTestDatabase();
after(() => created.drop());

/** A core that may not migrate, with the login that cores work with. */
function databaseWithoutOwner(migrations = readMigrations()): Database {
  return new Database({
    url: created.workingUrl,
    connectionsMax: 1,
    startDeadlineMs: 0,
    migrations,
    clock: systemClock,
    log: createLog("test", "silent"),
    metrics: createMetrics({}),
  });
}

async function start(migrations = readMigrations()): Promise<void> {
  const database = databaseWithoutOwner(migrations);
  try {
    await database.start();
  } finally {
    await database.stop();
  }
}

test("a core without the owner's login starts once npm run migrate was there, and not before", async () => {
  await assert.rejects(start(), /0001_core.sql is not applied yet, .*: npm run migrate/);
  const env = { ...process.env, DATABASE_OWNER_URL: created.url, LOG_LEVEL: "silent" };
  const ran = spawnSync(process.execPath, command, { env, encoding: "utf8" });
  assert.deepEqual(
    [ran.stderr, ran.stdout, ran.status],
    ["", "migrate: the schema is up to date\n", 0],
  );
  await start();
});

test("it waits for a migration that only it knows, and refuses a schema that is above it", async () => {
  const known = readMigrations();
  const next = { version: known.length + 1, name: "next", sql: "select 1", compatibleFrom: 1 };
  await assert.rejects(start([...known, next]), /next is not applied yet/);
  const floor = Math.max(...known.map(({ compatibleFrom }) => compatibleFrom));
  await assert.rejects(start(known.slice(0, floor - 1)), /update it/);
});
