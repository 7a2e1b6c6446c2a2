/** Static stability: what still works while the core's database is away, and that all comes back. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createTestDatabase } from "./db/test-database.ts";
import { startTestProxy } from "./db/test-proxy.ts";
import { OPERATOR_TOKEN, startTestCore } from "./test-core.ts";
import { startTestRegion } from "./test-region.ts";

const created = await createTestDatabase();
const proxy = await startTestProxy(created.url);
const core = await startTestCore({ DATABASE_URL: proxy.url });
const region = await startTestRegion({ core, name: "beijing" });
after(async () => {
  await region.stop();
  await core.stop();
  await proxy.stop();
  await created.drop();
});

async function ask(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init);
  return { status: response.status, body: await response.json() };
}

function join(accessToken: string) {
  return ask(`${core.url}/v1/join`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${accessToken}` },
    body: JSON.stringify({ game: "arena", protocol: 1 }),
  });
}

function makeGuest() {
  const headers = { "content-type": "application/json" };
  return ask(`${core.url}/v1/guests`, { method: "POST", headers, body: "{}" });
}

test("heartbeats, keys, regions and the status need no database; joins say `unavailable`", async () => {
  await region.heartbeat();
  const guest = await makeGuest();
  assert.equal(guest.status, 200);
  proxy.cut();

  assert.deepEqual((await region.heartbeat()).regionEpoch, [1, 1], "the lease is renewed");
  assert.equal((await ask(`${core.url}/.well-known/jwks.json`)).status, 200);
  assert.equal((await ask(`${core.url}/v1/regions`)).body.regions[0].state, "active");
  const headers = { authorization: `Bearer ${OPERATOR_TOKEN}` };
  const status = await ask(`${core.privateUrl}/ops/status`, { headers });
  assert.deepEqual([status.status, status.body.database], [200, "down"]);
  assert.equal((await ask(`${core.privateUrl}/healthz`)).status, 200);
  assert.equal((await ask(`${core.privateUrl}/readyz`)).status, 503);
  for (const failed of [await makeGuest(), await join(guest.body.accessToken)]) {
    assert.deepEqual([failed.status, failed.body.error.kind], [503, "unavailable"]);
    assert.equal(failed.body.error.retryable, true);
  }

  proxy.mend();
  assert.equal((await ask(`${core.privateUrl}/readyz`)).status, 200);
  await region.heartbeat();
  assert.equal((await join(guest.body.accessToken)).status, 200);
});
