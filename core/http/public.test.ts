/** What the public port does besides its routes: CORS, headers, documents, the page, limits. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { request } from "undici";
import { ConfigError, readConfig } from "../../shared/config.ts";
import { coreSettings } from "../config.ts";
import { startTestCore } from "../test-core.ts";

const webDir = mkdtempSync(join(tmpdir(), "meridian-web-"));
writeFileSync(join(webDir, "index.html"), "<!doctype html><title>Arena</title>");
mkdirSync(join(webDir, "assets"));
writeFileSync(join(webDir, "assets/main-AB12CD34.js"), "export {};");

const ORIGIN = "https://play.example.org";
const core = await startTestCore({ PUBLIC_ORIGINS: ORIGIN, WEB_DIR: webDir });
const open = await startTestCore({
  PUBLIC_ORIGINS: "*",
  GUESTS_PER_PREFIX_BURST: "3",
  GUESTS_PER_PREFIX_PER_SECOND: "0.1",
  GUEST_LOG_INS_PER_PREFIX_BURST: "2",
  GUEST_LOG_INS_PER_PREFIX_PER_SECOND: "0.1",
});
after(async () => {
  await core.stop();
  await open.stop();
  rmSync(webDir, { recursive: true });
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

test("the core's own page needs no listing", async () => {
  assert.equal((await preflight(core.url, core.url)).status, 204);
});

test("`*` lets everyone in, without credentials", async () => {
  const asked = await preflight(open.url, "https://anyone.example");
  assert.equal(asked.status, 204);
  assert.equal(asked.headers.get("access-control-allow-origin"), "*");
  assert.equal(asked.headers.get("access-control-allow-credentials"), null);
});

test("the page has a content security policy that lets it reach regions", async () => {
  const page = await fetch(`${core.url}/`);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /Arena/);
  const policy = page.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'self'/);
  assert.match(policy, /connect-src 'self' http: https: ws: wss:/);
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.equal(page.headers.get("referrer-policy"), "no-referrer");
  assert.equal(page.headers.get("cache-control"), "no-cache");
  const etag = page.headers.get("etag") ?? "";
  // Not by fetch: it adds `cache-control: no-cache` to a conditional request.
  const again = await request(`${core.url}/`, { headers: { "if-none-match": etag } });
  assert.equal(again.statusCode, 304);
  await again.body.dump();
});

test("files with a hash in their name are kept for a year; none outside is served", async () => {
  const script = await fetch(`${core.url}/assets/main-AB12CD34.js`);
  assert.match(script.headers.get("cache-control") ?? "", /immutable/);
  const outside = await fetch(`${core.url}/..%2f..%2fetc%2fpasswd`);
  assert.equal((await outside.json()).error.kind, "not_found");
});

test("the OpenAPI page describes every route with its failures", async () => {
  const page = await fetch(`${core.url}/docs/`);
  assert.match(await page.text(), /Swagger UI/);
  const { paths } = await (await fetch(`${core.url}/docs/json`)).json();
  assert.deepEqual(Object.keys(paths).sort(), [
    "/.well-known/jwks.json",
    "/matchmake/{method}/{name}",
    "/v1/guests",
    "/v1/join",
    "/v1/join/renew",
    "/v1/me",
    "/v1/reconnect",
    "/v1/regions",
    "/v1/tokens/refresh",
    "/v1/tokens/revoke",
  ]);
  assert.ok(paths["/v1/guests"].post.responses["429"]);
  assert.ok(paths["/v1/join"].post.requestBody);
});

test("nothing of operators or the link is on the public port", async () => {
  for (const path of ["/ops/status", "/metrics", "/healthz", "/link/heartbeat"]) {
    assert.equal((await fetch(core.url + path)).status, 404, path);
  }
});

test("new guests past the limit are told when to come back; known ones have a limit of their own", async () => {
  const send = (body: object) =>
    fetch(`${open.url}/v1/guests`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-forwarded-for": "198.51.100.7" },
      body: JSON.stringify(body),
    });
  const secrets: string[] = [];
  for (let n = 0; n < 3; n += 1) {
    const made = await send({});
    assert.equal(made.status, 200);
    secrets.push((await made.json()).secret);
  }
  const limited = await send({});
  assert.equal(limited.status, 429);
  // Less than the whole period when the burst itself took a while.
  assert.match(limited.headers.get("retry-after") ?? "", /^([1-9]|10)$/);
  assert.equal((await limited.json()).error.kind, "too_many_requests");
  const [secret] = secrets;
  for (let n = 0; n < 2; n += 1) assert.equal((await send({ secret })).status, 200);
  assert.equal((await send({ secret })).status, 429);
});

test("malformed bodies of every kind get a typed error", async () => {
  const send = async (body: string, type = "application/json", path = "/v1/guests") => {
    const headers = { "content-type": type };
    const response = await fetch(core.url + path, { method: "POST", headers, body });
    const { error } = await response.json();
    assert.equal(typeof error.message, "string");
    return [response.status, error.kind];
  };
  for (const body of [
    "{",
    "null",
    "[]",
    '{"name":7}',
    '{"name":"\\u0000"}',
    '{"device":"\\u0000"}',
    '{"secret":"x"}',
    "",
  ]) {
    assert.deepEqual(await send(body), [400, "bad_request"], body);
  }
  const deep = `{"options":{"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}}`;
  assert.deepEqual(await send(deep, "application/json", "/v1/join"), [400, "bad_request"]);
  assert.deepEqual(await send("<a/>", "text/xml"), [400, "bad_request"]);
  assert.deepEqual(await send(JSON.stringify({ x: "x".repeat(70_000) })), [
    413,
    "payload_too_large",
  ]);
});

test("wrong settings are named, each in words", () => {
  const wrong = {
    DATABASE_URL: "mysql://x",
    MASTER_KEY: "short",
    PUBLIC_ORIGINS: "https://a.example/path",
    GEO_OVERRIDES: "nowhere",
    OPERATOR_TOKEN: "short",
    LOG_LEVEL: "loud",
  };
  assert.throws(
    () => readConfig(coreSettings, wrong),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      const named = error.problems.map((problem) => /^\w+/.exec(problem)?.[0]);
      for (const name of Object.keys(wrong)) assert.ok(named.includes(name), name);
      assert.ok(named.includes("LINK_CA_FILE"), "missing ones too");
      return true;
    },
  );
});
