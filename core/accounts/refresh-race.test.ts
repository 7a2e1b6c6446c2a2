/**
 * Refresh tokens under concurrent calls. A trigger holds a rotation between taking its token and
 * committing, until the test has seen the other call wait for it.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import { until } from "../../test/until.ts";
import { startTestCore } from "../test-core.ts";

const GATE_KEY = 42;
const core = await startTestCore();
const owner = new pg.Client({ connectionString: core.databaseUrl });
await owner.connect();
await owner.query(`
  create function meridian.wait_at_gate() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(${GATE_KEY}); return new; end $$;
  create trigger gate before insert on meridian.refresh_tokens
    for each row execute function meridian.wait_at_gate();`);
after(async () => {
  await owner.end();
  await core.stop();
});

async function post(path: string, body: object) {
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(core.url + path, init);
  return { status: response.status, body: await response.json() };
}

function refresh(refreshToken: string, device = "phone") {
  return post("/v1/tokens/refresh", { refreshToken, device });
}

async function newToken(): Promise<string> {
  return (await post("/v1/guests", { device: "phone" })).body.refreshToken;
}

async function waiting(count: number): Promise<void> {
  const text = `select from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'`;
  await until(`${count} wait`, async () => (await owner.query(text)).rowCount === count);
}

/** Both calls, the second begun while the first has inserted nothing yet. */
async function during<A, B>(first: () => Promise<A>, second: () => Promise<B>): Promise<[A, B]> {
  await owner.query("select pg_advisory_lock($1)", [GATE_KEY]);
  const a = first();
  await waiting(1);
  const b = second();
  await waiting(2);
  await owner.query("select pg_advisory_unlock($1)", [GATE_KEY]);
  return await Promise.all([a, b]);
}

test("a log-out during a rotation ends the successor too", async () => {
  const token = await newToken();
  const [rotated, revoked] = await during(
    () => refresh(token),
    () => post("/v1/tokens/revoke", { refreshToken: token }),
  );
  assert.deepEqual([rotated.status, revoked.status], [200, 200]);
  assert.equal((await refresh(rotated.body.refreshToken)).body.error.kind, "unauthorized");
});

test("a theft found during a rotation ends the successor too", async () => {
  const first = await newToken();
  const second = (await refresh(first)).body.refreshToken;
  const [rotated, stolen] = await during(
    () => refresh(second),
    () => refresh(first, "another device"),
  );
  assert.equal(rotated.status, 200);
  assert.equal(stolen.body.error.kind, "token_reused");
  assert.equal((await refresh(rotated.body.refreshToken)).body.error.kind, "unauthorized");
});

test("two refreshes at once get the same successor, with its whole lifetime", async () => {
  const token = await newToken();
  const [a, b] = await during(
    () => refresh(token),
    () => refresh(token),
  );
  assert.equal(a.body.refreshToken, b.body.refreshToken);
  const dayMs = 86_400_000;
  for (const { body } of [a, b]) assert.ok(body.refreshExpiresInMs > dayMs, "not 1 ms");
});
