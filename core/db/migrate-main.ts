/**
 * `npm run migrate`: brings the schema up to date without a core, before the first core of a new release starts. Cores
 * of the previous release serve on. Works as the owner of the schema (`DATABASE_OWNER_URL`, or else `DATABASE_URL`).
 *
 * A core that starts does the same by itself; done apart, a migration that fails stops nobody.
 */
import { ConfigError, readConfig } from "../../shared/config.ts";
import { createLog } from "../../shared/log.ts";
import { coreSettings } from "../config.ts";
import { migrate, readMigrations } from "./migrate.ts";

try {
  const { DATABASE_URL, DATABASE_OWNER_URL, LOG_LEVEL } = coreSettings;
  const settings = { DATABASE_URL, DATABASE_OWNER_URL, LOG_LEVEL };
  const config = readConfig(settings, process.env);
  const migrations = readMigrations();
  await migrate({
    url: config.DATABASE_OWNER_URL ?? config.DATABASE_URL,
    migrations,
    log: createLog("migrate", config.LOG_LEVEL),
  });
  process.stdout.write(`the schema is that of migration ${migrations.at(-1)?.name}\n`);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`migrate: ${message}\n`);
  process.exitCode = error instanceof ConfigError ? 2 : 1;
}
