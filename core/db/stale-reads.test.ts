/** Reads that may be stale, and who asks for them. What a real standby answers is in `test/player-state/promoted-core.test.ts`. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "../../infra/process/port.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { StandbyReads } from "./stale-reads.ts";
import { startTestDatabase } from "./test-database.ts";

let created: Awaited<ReturnType<typeof startTestDatabase>>;
before(async () => {
  created = await startTestDatabase();
});
after(() => created.drop());

function readsOf(url: string | undefined) {
  const metrics = createMetrics({});
  const clock = new FakeClock();
  const reads = new StandbyReads({
    url,
    lagMaxMs: 5_000,
    primary: created.database,
    clock,
    log: createLog("test", "silent"),
    metrics,
  });
  const from = async () => {
    const metric = await metrics.getSingleMetric("meridian_db_stale_reads_total")?.get();
    return Object.fromEntries(
      metric?.values.map(({ labels, value }) => [labels.from, value]) ?? [],
    );
  };
  const term = () =>
    reads.oneMoment(async (tx) => (await tx.rows("select term from core_term")).length);
  return { reads, clock, from, term };
}

test("without a standby the primary answers", async () => {
  const { reads, term, from } = readsOf(undefined);
  assert.equal(await term(), 1);
  assert.deepEqual(await from(), { primary: 1 });
  await reads.stop();
});

test("one that can't be reached is passed by, and left alone for a while", async () => {
  const url = Object.assign(new URL(created.workingUrl), { port: String(await freePort()) }).href;
  const { reads, clock, term, from } = readsOf(url);
  assert.equal(await term(), 1);
  assert.equal(await term(), 1);
  clock.advance(10_000);
  assert.equal(await term(), 1);
  assert.deepEqual(await from(), { failed: 2, resting: 1 });
  await reads.stop();
});

test("it only reads, of one moment, and a mistake of ours is not hidden by the primary", async () => {
  const { reads, term, from } = readsOf(created.workingUrl);
  assert.equal(await term(), 1);
  await assert.rejects(
    reads.oneMoment((tx) => tx.rows("delete from players")),
    /read-only transaction/,
  );
  assert.equal(await term(), 1);
  assert.deepEqual(await from(), { standby: 2 });
  await reads.stop();
});

test("only these ask for reads that may be stale", () => {
  const core = fileURLToPath(new URL("..", import.meta.url));
  const files = globSync("**/*.ts", { cwd: core }).filter((file) => !file.endsWith(".test.ts"));
  const asking = files.filter((file) =>
    /\bStaleReads\b/.test(readFileSync(`${core}/${file}`, "utf8")),
  );
  assert.deepEqual(asking.sort(), ["db/stale-reads.ts", "value/reconciler.ts"]);
});
