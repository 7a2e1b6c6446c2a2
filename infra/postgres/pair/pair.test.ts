/** Two real servers and what becomes of them. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { until } from "../../../test/until.ts";
import { soleMember } from "../../local/database-pair.ts";
import { isAlive, signalProcess } from "../../process/pid.ts";
import { startPostgres } from "../embedded.ts";
import { readMark } from "./mark.ts";
import { pairFiles } from "./pair-names.ts";
import { startTestPair, type TestPair } from "./test-pair.ts";

const PATIENT_MS = 60_000;

let world: TestPair;
before(async () => {
  world = await startTestPair();
});
after(async () => {
  await world.stop();
});

/** Commits, one after the other on each of some connections, until they are refused; what was acknowledged. */
async function commitUntilCut(
  connections: number,
): Promise<{ readonly acknowledged: Set<number>; readonly over: Promise<void> }> {
  const acknowledged = new Set<number>();
  let next = 0;
  const one = async () => {
    const client = await world.connect();
    try {
      for (;;) {
        next += 1;
        const n = next;
        await client.query("insert into commits (n) values ($1)", [n]);
        acknowledged.add(n);
      }
    } catch {
      // The primary is gone: whether this one was committed, nobody was told.
    } finally {
      await client.end().catch(() => {});
    }
  };
  const all = Promise.all(Array.from({ length: connections }, one));
  return { acknowledged, over: all.then(() => {}) };
}

test("kill -9 of the primary under commits: every acknowledged one is there after the promotion", async (t) => {
  await world.promotable();
  const client = await world.connect();
  await client.query("create table if not exists commits (n integer primary key)");
  await client.end();
  const { acknowledged, over } = await commitUntilCut(4);
  await until("commits", () => acknowledged.size > 200);
  const former = world.pair.primary;
  const { generation } = world.pair.mark;
  assert.ok(former.pid);
  signalProcess(former.pid, "SIGKILL");
  const killedMs = performance.now();
  await until(
    "the promotion",
    () => world.pair.mark.generation > generation && world.pair.serves,
    PATIENT_MS,
  );
  t.diagnostic(`serves again after ${(performance.now() - killedMs).toFixed(0)} ms`);
  await over;
  assert.notEqual(world.pair.primary.name, former.name);
  const next = await world.connect();
  const { rows } = await next.query<{ n: number }>("select n from commits");
  await next.end();
  const found = new Set(rows.map(({ n }) => n));
  assert.deepEqual(
    [...acknowledged].filter((n) => !found.has(n)),
    [],
  );
  await world.promotable();
});

test("a lost standby is not waited for, is not promoted, and may be again when it is back", async () => {
  await world.promotable();
  const { primary, standby } = world.pair;
  const { generation } = world.pair.mark;
  standby.keptAway = true;
  assert.ok(standby.pid);
  signalProcess(standby.pid, "SIGKILL");
  const client = await world.connect();
  await client.query("insert into commits (n) values (-1)");
  await client.end();
  assert.equal(world.pair.mark.promotable, false, "marked before the first commit without it");

  assert.ok(primary.pid);
  primary.keptAway = true;
  signalProcess(primary.pid, "SIGKILL");
  await until("the primary is gone", () => primary.pid === undefined && !world.pair.serves);
  standby.keptAway = false;
  world.pair.look();
  await until("said so", () => world.lines.some((line) => line.includes("waits for it")));
  assert.equal(world.pair.mark.generation, generation, "nobody follows");
  primary.keptAway = false;
  world.pair.look();
  await world.promotable();
  assert.equal(world.pair.primary, primary);
});

test("a primary that hangs is ended before its standby follows", async () => {
  await world.promotable();
  const { primary } = world.pair;
  const { generation } = world.pair.mark;
  const { pid } = primary;
  assert.ok(pid);
  signalProcess(pid, "SIGSTOP");
  await until(
    "the promotion",
    () => world.pair.mark.generation > generation && world.pair.serves,
    PATIENT_MS,
  );
  assert.equal(isAlive(pid), false);
});

test("a cut link: commits go on in time, and a person may promote, who is told what is lost", async () => {
  await world.promotable();
  const client = await world.connect();
  for (const link of Object.values(world.links)) link.halfOpen();
  await client.query("insert into commits (n) values (-2)");
  assert.equal(world.pair.mark.promotable, false);
  await client.query("insert into commits select -n from generate_series(10, 5000) n");
  const { generation } = world.pair.mark;
  const { lostBytes } = await world.pair.failOver();
  await client.end();
  assert.ok(lostBytes > 1_000, `${lostBytes} bytes`);
  assert.equal(world.pair.mark.generation, generation + 1);
  const next = await world.connect();
  const { rows } = await next.query("select from commits where n = -5000");
  await next.end();
  assert.equal(rows.length, 0, "that is what was lost");
  await Promise.all(Object.values(world.links).map((link) => link.heal()));
  await world.promotable();
});

test("all is as it was after both were ended: who is the primary, and the standby goes on", async () => {
  const { mark } = world.pair;
  const copies = () => world.lines.filter((line) => line.includes("is made anew")).length;
  const before = copies();
  await world.startAgain();
  assert.deepEqual(world.pair.mark, { ...mark, promotable: false });
  await world.promotable();
  assert.equal(copies(), before, "the standby's data was kept");
});

test("without a standby the last primary goes on alone, and the other may not follow it", async () => {
  await world.promotable();
  const { name } = world.pair.primary;
  await world.pair.stop();
  const dataDir = await soleMember(world.dir);
  assert.equal(dataDir, pairFiles(world.dir).dirs[name]);
  assert.equal(readMark(pairFiles(world.dir).markFile)?.promotable, false);
  const alone = await startPostgres({ dataDir, settings: { fsync: "off" } });
  const client = new pg.Client({ connectionString: alone.url, query_timeout: 5_000 });
  await client.connect();
  await client.query("insert into commits (n) values (-6000)");
  const { rows } = await client.query("select from commits where n = 1");
  await client.end();
  await alone.stop();
  assert.equal(rows.length, 1);
});
