/**
 * For tests: a fresh, empty database on a real PostgreSQL.
 *
 * The cluster is the one of `TEST_DATABASE_URL` (its superuser), or else one that this process starts
 * in a temporary folder and ends with the last database.
 */
import { createHash, randomBytes } from "node:crypto";
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
import { migrate, readMigrations } from "./migrate.ts";

export interface TestDatabase {
  /** As its owner. */
  readonly url: string;
  /** As a core works with it. */
  readonly workingUrl: string;
  drop(): Promise<void>;
}

/** Held by whoever makes the template. */
const TEMPLATE_LOCK_KEY = 7_300_002;

/** An empty database; `drop` removes it, and ends the cluster if this call started it. */
export async function createTestDatabase(): Promise<TestDatabase> {
  return await create("template1");
}

/**
 * As `createTestDatabase`, with all tables. They are made once in a shared cluster, and copied: that takes a
 * tenth of the time of the migrations.
 */
export async function createMigratedDatabase(): Promise<TestDatabase> {
  const shared = process.env.TEST_DATABASE_URL;
  return await create(shared ? await ensureTemplate(shared) : "template1");
}

async function create(template: string): Promise<TestDatabase> {
  const shared = process.env.TEST_DATABASE_URL;
  if (shared) return await createIn(shared, template, async () => {});
  const dataDir = mkdtempSync(join(tmpdir(), "meridian-core-test-"));
  const cluster: RunningPostgres = await startPostgres({ dataDir, settings: { fsync: "off" } });
  return await createIn(cluster.url, template, async () => {
    await cluster.stop();
    rmSync(dataDir, { recursive: true });
  });
}

/** A database with all tables, and a pool on it. */
export async function startTestDatabase(): Promise<TestDatabase & { readonly database: Database }> {
  const created = await createMigratedDatabase();
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

/** A database of the cluster with the tables of these migrations. @returns its name */
async function ensureTemplate(clusterUrl: string): Promise<string> {
  const migrations = readMigrations();
  const text = migrations.map(({ sql }) => sql).join();
  const name = `core_test_${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
  await runOn(clusterUrl, async (client) => {
    const { rowCount } = await client.query("select from pg_database where datname = $1", [name]);
    if (rowCount === 1) return;
    // Released by the end of the session.
    await client.query("select pg_advisory_lock($1)", [TEMPLATE_LOCK_KEY]);
    const again = await client.query("select from pg_database where datname = $1", [name]);
    if (again.rowCount === 1) return;
    // It gets its name once it is whole.
    const half = `${name}_half`;
    await client.query(`drop database if exists ${half}`);
    await client.query(`create database ${half}`);
    await migrate({ url: urlIn(clusterUrl, half), migrations, log: createLog("test", "silent") });
    await client.query(`alter database ${half} rename to ${name}`);
  });
  return name;
}

async function createIn(
  clusterUrl: string,
  template: string,
  end: () => Promise<void>,
): Promise<TestDatabase> {
  const name = `core_test_${randomBytes(6).toString("hex")}`;
  // Logins belong to the cluster, in which other tests run at the same time.
  const login = { name: `${name}_login`, password: randomBytes(16).toString("hex") };
  await runOn(clusterUrl, async (client) => {
    await client.query(`create database ${name} template ${template}`);
    await ensureWorkingLogin(client, login);
  });
  const href = urlIn(clusterUrl, name);
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

function urlIn(clusterUrl: string, database: string): string {
  return Object.assign(new URL(clusterUrl), { pathname: `/${database}` }).href;
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
