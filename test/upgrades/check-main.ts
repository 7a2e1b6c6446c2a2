/** `npm run upgrade-check`: whether this tree can run beside the previous release. */
import { createTestDatabase } from "../../core/db/test-database.ts";
import {
  makeReleaseTree,
  previousRelease,
  ReleaseTreeError,
} from "../../infra/upgrade/release-tree.ts";
import { checkRelease } from "./check-release.ts";

async function main(): Promise<number> {
  const commit = previousRelease();
  const tree = makeReleaseTree(commit);
  try {
    const database = await createTestDatabase();
    try {
      const found = await checkRelease({ previousDir: tree.dir, databaseUrl: database.url });
      for (const line of found) console.error(`✗ ${line}`);
      if (found.length === 0) console.log(`✓ runs beside ${commit.slice(0, 8)}: docs/upgrades.md`);
      return found.length === 0 ? 0 : 1;
    } finally {
      await database.drop();
    }
  } finally {
    tree.remove();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof ReleaseTreeError)) throw error;
  console.error(`✗ ${error.message}`);
  process.exitCode = 2;
}
