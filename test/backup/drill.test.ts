/** The drill in a small world; `npm run drill` is the same with larger numbers. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import pg from "pg";
import { WORLD_OPTIONS } from "../faults/campaign.ts";
import { worldForTests } from "../world.ts";
import { runDrill } from "./drill.ts";

const backupDir = mkdtempSync(join(tmpdir(), "meridian-drill-"));
const world = worldForTests({ ...WORLD_OPTIONS, regions: 2, backupDir }, dropTemplates);
after(() => rmSync(backupDir, { recursive: true, force: true }));

/** A third of the database's files, which the backup and each restore would copy. */
async function dropTemplates(): Promise<void> {
  const client = new pg.Client({ connectionString: world().databaseUrl });
  await client.connect();
  for (const template of ["template0", "template1"]) {
    await client.query(`alter database ${template} is_template false`);
    await client.query(`drop database ${template}`);
  }
  await client.end();
}

test("the database is lost and restored: nothing is lost or doubled, no epoch comes again", async () => {
  const { losses, audit } = await runDrill({
    world: world(),
    backupDir,
    tradersPerRegion: 2,
    opsPerStep: 10,
    losses: process.env.SOAK ? ["latest", "time"] : ["latest"],
    seed: Number(process.env.TEST_SEED ?? 1),
    say: (line) => console.log(line),
  });
  for (const loss of losses) {
    console.log(JSON.stringify(loss));
    assert.ok(loss.forgotten > 0, "the database forgot something that players had been told");
  }
  assert.ok(audit.promised > 0);
});
