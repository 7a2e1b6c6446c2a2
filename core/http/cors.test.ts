/** Which web pages may call the players' API. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import { startTestCore } from "../test-core.ts";

const ORIGIN = "https://play.example.org";
const core = await startTestCore({ PUBLIC_ORIGINS: ORIGIN });
const open = await startTestCore({ PUBLIC_ORIGINS: "*" });
after(async () => {
  await core.stop();
  await open.stop();
});

function preflight(url: string, origin: string): Promise<Response> {
  return fetch(`${url}/matchmake/joinOrCreate/arena`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type,authorization",
    },
  });
}

function makeGuest(headers: Record<string, string>): Promise<Response> {
  const init = { method: "POST", headers: { "content-type": "application/json", ...headers } };
  return fetch(`${core.url}/v1/guests`, { ...init, body: "{}" });
}

async function guests(): Promise<unknown> {
  const client = new pg.Client({ connectionString: core.databaseUrl });
  await client.connect();
  const { rows } = await client.query("select count(*) from meridian.players");
  await client.end();
  return rows[0].count;
}

test("a listed origin may call, with credentials as stock Colyseus clients send them", async () => {
  const asked = await preflight(core.url, ORIGIN);
  assert.equal(asked.status, 204);
  assert.equal(asked.headers.get("access-control-allow-origin"), ORIGIN);
  assert.equal(asked.headers.get("access-control-allow-credentials"), "true");
  assert.match(asked.headers.get("access-control-allow-methods") ?? "", /POST/);
  assert.match(asked.headers.get("access-control-allow-headers") ?? "", /authorization/);
  assert.equal(asked.headers.get("vary"), "origin");
  const answer = await fetch(`${core.url}/v1/regions`, { headers: { origin: ORIGIN } });
  assert.equal(answer.headers.get("access-control-allow-origin"), ORIGIN);
  assert.match(answer.headers.get("access-control-expose-headers") ?? "", /retry-after/);
  const failed = await fetch(`${core.url}/v1/me`, { headers: { origin: ORIGIN } });
  assert.equal(failed.status, 401);
  assert.equal(failed.headers.get("access-control-allow-origin"), ORIGIN, "failures as well");
});

test("an origin that is not listed is never echoed", async () => {
  for (const origin of ["https://evil.example", `${ORIGIN}.evil.example`, "null"]) {
    const asked = await preflight(core.url, origin);
    assert.equal(asked.status, 403);
    assert.equal((await asked.json()).error.kind, "origin_refused");
    assert.equal(asked.headers.get("access-control-allow-origin"), null);
    const answer = await fetch(`${core.url}/v1/regions`, { headers: { origin } });
    assert.equal(answer.headers.get("access-control-allow-origin"), null);
  }
});

test("a page of another origin can change nothing, also without asking first", async () => {
  const before = await guests();
  for (const origin of ["https://evil.example", "null"]) {
    const refused = await makeGuest({ origin });
    assert.equal(refused.status, 403);
    assert.equal((await refused.json()).error.kind, "origin_refused");
    // A simple request: a browser sends it at once, with any page's text in it.
    const stock = await fetch(`${core.url}/matchmake/joinOrCreate/arena`, {
      method: "POST",
      headers: { origin },
    });
    assert.deepEqual([stock.status, (await stock.json()).kind], [525, "origin_refused"]);
  }
  assert.equal(await guests(), before);
  const text = await (await fetch(`${core.privateUrl}/metrics`)).text();
  assert.match(text, /^meridian_origins_refused_total\{.*\} [1-9]/m);
});

test("the core's own page needs no listing, nor does who is no browser", async () => {
  assert.equal((await preflight(core.url, core.url)).status, 204);
  const behindProxy = { origin: "https://core.example", "sec-fetch-site": "same-origin" };
  for (const headers of [{ origin: core.url }, { origin: ORIGIN }, behindProxy, {}]) {
    const made = await makeGuest(headers);
    assert.equal(made.status, 200);
    assert.equal(made.headers.get("vary"), "origin");
  }
});

test("`*` lets everyone in, without credentials", async () => {
  const asked = await preflight(open.url, "https://anyone.example");
  assert.equal(asked.status, 204);
  assert.equal(asked.headers.get("access-control-allow-origin"), "*");
  assert.equal(asked.headers.get("access-control-allow-credentials"), null);
});
