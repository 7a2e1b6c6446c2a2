/**
 * `npm run migrate`: brings the schema up to date as its owner (`DATABASE_OWNER_URL`, or else `DATABASE_URL`), and ends.
 * For deployments whose cores run with `DATABASE_MIGRATE=false`, so that no process that players reach has the
 * owner's login. A database that can't be reached ends it with 1: whoever starts it tries again.
 */
import { ConfigError, readConfig } from "../../shared/config.ts";
import { createLog } from "../../shared/log.ts";
import { coreSettings } from "../config.ts";
import { migrate, readMigrations } from "./migrate.ts";

const { DATABASE_URL, DATABASE_OWNER_URL, LOG_LEVEL } = coreSettings;

try {
  const { url, level } = readSettings();
  await migrate({ url, migrations: readMigrations(), log: createLog("migrate", level) });
  process.stdout.write("migrate: the schema is up to date\n");
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`migrate: ${message}\n`);
  process.exitCode = error instanceof ConfigError ? 2 : 1;
}

/** @throws {ConfigError} */
function readSettings() {
  const given = readConfig({ DATABASE_OWNER_URL, LOG_LEVEL }, process.env);
  const url = given.DATABASE_OWNER_URL ?? readConfig({ DATABASE_URL }, process.env).DATABASE_URL;
  return { url, level: given.LOG_LEVEL };
}
