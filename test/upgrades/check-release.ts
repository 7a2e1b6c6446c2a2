/** Whether this tree can run beside the previous release: migrations and bodies, by effect. */
import { join } from "node:path";
import { readMigrations } from "../../core/db/migrate.ts";
import { ROOT } from "../../infra/upgrade/release-tree.ts";
import { bodyChanges } from "./body-changes.ts";
import { checkMigrations } from "./check-migrations.ts";
import { KNOWN_CHANGES, type KnownChange } from "./known-changes.ts";
import { recordBodies } from "./record-bodies.ts";

export interface ReleaseCheck {
  /** The top folder of the previous release, with its dependencies. */
  readonly previousDir: string;
  /** Of an empty database, as its owner. */
  readonly databaseUrl: string;
}

/** @returns what is wrong, a line each; nothing when both can run together */
export async function checkRelease({ previousDir, databaseUrl }: ReleaseCheck): Promise<string[]> {
  const migrations = await checkMigrations({
    url: databaseUrl,
    previous: readMigrations(join(previousDir, "core/db/migrations")),
    next: readMigrations(),
  });
  const bodies = bodyChanges(await recordBodies(previousDir), await recordBodies(ROOT));
  return [...migrations, ...withoutKnown(bodies, KNOWN_CHANGES)];
}

/** What is not known, and what is known and is not there (any more). Pure. */
export function withoutKnown(lines: readonly string[], known: readonly KnownChange[]): string[] {
  const isKnown = (line: string) => known.some((one) => one.line === line);
  const stale = known.filter(({ line }) => !lines.includes(line));
  return [
    ...lines.filter((line) => !isKnown(line)),
    ...stale.map(({ line }) => `test/upgrades/known-changes.ts: this is no change: ${line}`),
  ];
}
