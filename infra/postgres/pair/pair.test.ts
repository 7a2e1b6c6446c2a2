/** Two real servers and what becomes of them. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../../test/until.ts";
import { signalProcess } from "../../process/pid.ts";
import { startTestPair, type TestPair } from "./test-pair.ts";

let world: TestPair;
before(async () => {
  world = await startTestPair();
});
after(async () => {
  await world.stop();
  if (process.env.PAIR_LINES) console.log(world.lines.join("\n"));
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

test("kill -9 of the primary under commits: every acknowledged one is there after the promotion", async () => {
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
  await until("the promotion", () => world.pair.mark.generation > generation && world.pair.serves);
  console.log(`serves again after ${(performance.now() - killedMs).toFixed(0)} ms`);
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
