/** Cores of one database: who leads, how the lead passes on, and that a stale leader commits nothing. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import pg from "pg";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { until } from "../../test/until.ts";
import { createMigratedDatabase } from "../db/test-database.ts";
import { opsCommand } from "../ops/test-ops.ts";
import { OPERATOR_TOKEN, startTestCore, type TestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { LEASE_MS } from "./leadership-step.ts";

/** A clock that can be held, as of a process that gets no turn: no timer falls due, no time passes. */
class HeldClock implements Clock {
  #heldAtMs: number | undefined;
  #aheadMs = 0;
  hold(): void {
    this.#heldAtMs = systemClock.monotonicMs();
  }
  /** @param stoodMs for how long it seems to have been held besides */
  release(stoodMs = 0): void {
    this.#heldAtMs = undefined;
    this.#aheadMs = stoodMs;
  }
  nowMs(): number {
    return systemClock.nowMs();
  }
  monotonicMs(): number {
    return (this.#heldAtMs ?? systemClock.monotonicMs()) + this.#aheadMs;
  }
  after(delayMs: number, task: () => void) {
    return systemClock.after(delayMs, () => this.#run(task));
  }
  every(periodMs: number, task: () => void) {
    return systemClock.every(periodMs, () => this.#run(task));
  }
  #run(task: () => void): void {
    if (this.#heldAtMs === undefined) task();
  }
}

const created = await createMigratedDatabase();
const owner = new pg.Client({ connectionString: created.url, options: "-c search_path=meridian" });
await owner.connect();
const DATABASE_URL = created.workingUrl;
const MASTER_KEY = randomBytes(32).toString("base64");
const running = new Set<TestCore>();
const clock = new HeldClock();
const first = await started("first", clock);
after(async () => {
  for (const core of running) await core.stop();
  await owner.end();
  await created.drop();
});

async function started(CORE_NAME: string, its: Clock = systemClock): Promise<TestCore> {
  const env = { DATABASE_URL, DATABASE_OWNER_URL: created.url, CORE_NAME };
  const core = await startTestCore({ ...env, MASTER_KEY }, undefined, its);
  running.add(core);
  return core;
}

async function stopped(core: TestCore): Promise<void> {
  running.delete(core);
  await core.stop();
}

async function ready({ privateUrl }: TestCore, exclude = ""): Promise<number> {
  return (await fetch(`${privateUrl}/readyz${exclude && `?exclude=${exclude}`}`)).status;
}

async function ops(core: TestCore, method: string, path: string) {
  const answer = await fetch(`${core.privateUrl}/ops/${path}`, {
    method,
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}` },
  });
  return { status: answer.status, body: await answer.json() };
}

async function leads(core: TestCore): Promise<boolean> {
  return (await ready(core)) === 200;
}

/** As if nobody had renewed it for as long as it lasts. */
async function endLease(): Promise<void> {
  await owner.query("update leader set expires_at = clock_timestamp()");
}

async function termOf(core: TestCore): Promise<number> {
  return (await ops(core, "GET", "status")).body.leader.term;
}

test("one leads; the other is warm, serves health, and tells operators who does", async () => {
  const second = await started("second");
  assert.deepEqual([await ready(first), await ready(second)], [200, 503]);
  assert.deepEqual(
    [await ready(second, "leadership"), await ready(second, "database")],
    [200, 503],
  );
  const refused = await ops(second, "GET", "status");
  assert.equal(refused.status, 503);
  const { kind, retryable, message } = refused.body.error;
  assert.deepEqual([kind, retryable], ["unavailable", true]);
  assert.match(message, /^This core, "second", does not lead: "first" does, in term 1\.$/);
  const metrics = async (core: TestCore) => (await fetch(`${core.privateUrl}/metrics`)).text();
  assert.match(await metrics(first), /^meridian_core_leads\{process="core"\} 1$/m);
  assert.match(await metrics(first), /^meridian_core_lead_term\{process="core"\} 1$/m);
  assert.match(await metrics(second), /^meridian_core_leads\{process="core"\} 0$/m);
  const said = await opsCommand(first)(["status"]);
  assert.match(said.out, / · first leads, lease 1 · /);
  await stopped(second);
});

test("a stale leader commits no fence, no claim, no session, and ends", async () => {
  const region = await startTestRegion({ core: first, name: "beijing" });
  await region.beat();
  await region.claim("room-before");
  clock.hold();
  const second = await started("second");
  await endLease();
  await until("the second leads", () => leads(second));
  assert.equal(await termOf(second), 2);

  const fence = await ops(first, "POST", "regions/beijing/fence");
  assert.deepEqual([fence.status, fence.body.error.kind], [503, "unavailable"]);
  assert.equal(await first.leadership.ended, "refused_commit");
  await assert.rejects(region.claim("room-after"), /does not lead/);
  const guest = await fetch(`${first.url}/v1/guests`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  assert.equal(guest.status, 503);
  const { rows } = await owner.query("select wanted from regions");
  assert.deepEqual(rows, [{ wanted: "active" }]);
  assert.deepEqual((await owner.query("select room_id from rooms")).rows, [
    { room_id: "room-before" },
  ]);
  clock.release();
  await region.stop();
  await stopped(first);
  await stopped(second);
});

test("one that stood still past its lease asks before it answers, and finds another", async () => {
  const still = new HeldClock();
  const third = await started("third", still);
  still.hold();
  const fourth = await started("fourth");
  await endLease();
  await until("the fourth leads", () => leads(fourth));
  still.release(LEASE_MS);
  const answer = await fetch(`${third.url}/v1/regions`);
  assert.equal(answer.status, 503);
  assert.equal(await third.leadership.ended, "another_leads");
  assert.equal(await leads(fourth), true);
  await stopped(third);
  await stopped(fourth);
});

test("a stop gives the lease back, and a follower leads at once", async () => {
  const fifth = await started("fifth");
  const sixth = await started("sixth");
  const term = await termOf(fifth);
  await stopped(fifth);
  const { rows } = await owner.query(
    "select expires_at <= clock_timestamp() as over, holder from leader",
  );
  assert.ok(rows[0].over || rows[0].holder === "sixth", "nobody waits for the lease's end");
  await until("the sixth leads", () => leads(sixth));
  assert.equal(await termOf(sixth), term + 1);
  assert.equal((await fetch(`${sixth.url}/v1/regions`)).status, 200);
  await stopped(sixth);
});

test("a core term that was raised ends the leader; the next one leads under it", async () => {
  const seventh = await started("seventh");
  const eighth = await started("eighth");
  await owner.query("update core_term set term = term + 1");
  assert.equal(await seventh.leadership.ended, "core_term_raised");
  await until("the eighth leads", () => leads(eighth));
  assert.equal((await ops(eighth, "GET", "status")).body.coreTerm, 2);
  await stopped(seventh);
  await stopped(eighth);
});

test("a former life of its own name is not waited for", async () => {
  const still = new HeldClock();
  const ninth = await started("ninth", still);
  still.hold();
  const again = await started("ninth");
  assert.equal(await leads(again), true);
  still.release();
  assert.equal(await ninth.leadership.ended, "another_leads");
  await stopped(ninth);
  await stopped(again);
});
