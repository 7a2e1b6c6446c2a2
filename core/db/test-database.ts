/**
 * For tests: a fresh, empty database on a real PostgreSQL.
 *
 * The cluster is the one of `TEST_DATABASE_URL` (its superuser), or else one that this process starts
 * in a temporary folder and ends with the last database.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type RunningPostgres, startPostgres } from "../../infra/postgres/embedded.ts";
import { ensureWorkingLogin, urlOfLogin } from "../../infra/postgres/working-login.ts";
import { systemClock } from "../../shared/clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { Database } from "./database.ts";
import { readMigrations } from "./migrate.ts";

export interface TestDatabase {
  /** As its owner. */
  readonly url: string;
  /** As a core works with it. */
  readonly workingUrl: string;
  drop(): Promise<void>;
}

/** An empty database; `drop` removes it, and ends the cluster if this call started it. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const shared = process.env.TEST_DATABASE_URL;
  if (shared) return await createIn(shared, async () => {});
  const dataDir = mkdtempSync(join(tmpdir(), "meridian-core-test-"));
  const cluster: RunningPostgres = await startPostgres({ dataDir, settings: { fsync: "off" } });
  return await createIn(cluster.url, async () => {
    await cluster.stop();
    rmSync(dataDir, { recursive: true });
  });
}

/** A database with all tables, and a pool on it. */
export async function startTestDatabase(): Promise<TestDatabase & { readonly database: Database }> {
  const created = await createTestDatabase();
  const database = new Database({
    url: created.workingUrl,
    ownerUrl: created.url,
    connectionsMax: 6,
    startDeadlineMs: 0,
    migrations: readMigrations(),
    clock: systemClock,
    log: createLog("test", "silent"),
    metrics: createMetrics({}),
  });
  await database.start();
  return {
    ...created,
    database,
    async drop() {
      await database.stop();
      await created.drop();
    },
  };
}

async function createIn(clusterUrl: string, end: () => Promise<void>): Promise<TestDatabase> {
  const name = `core_test_${randomBytes(6).toString("hex")}`;
  // Logins belong to the cluster, in which other tests run at the same time.
  const login = { name: `${name}_login`, password: randomBytes(16).toString("hex") };
  await runOn(clusterUrl, async (client) => {
    await client.query(`create database ${name}`);
    await ensureWorkingLogin(client, login);
  });
  const { href } = Object.assign(new URL(clusterUrl), { pathname: `/${name}` });
  return {
    url: href,
    workingUrl: urlOfLogin(href, login),
    async drop() {
      await runOn(clusterUrl, async (client) => {
        await client.query(`drop database ${name} with (force)`);
        await client.query(`drop role ${login.name}`);
      });
      await end();
    },
  };
}

async function runOn(
  connectionString: string,
  task: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await task(client);
  } finally {
    await client.end();
  }
}
