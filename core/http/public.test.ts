/** What the public port does besides its routes: headers, documents, the page, limits. */
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
mkdirSync(join(webDir, "games/duel"), { recursive: true });
writeFileSync(join(webDir, "games/duel/index.html"), "<!doctype html><title>Duel</title>");
mkdirSync(join(webDir, "assets"));
writeFileSync(join(webDir, "assets/main-AB12CD34.js"), "export {};");

const core = await startTestCore({ WEB_DIR: webDir });
const limited = await startTestCore({
  GUESTS_PER_PREFIX_BURST: "3",
  GUESTS_PER_PREFIX_PER_SECOND: "0.1",
  GUEST_LOG_INS_PER_PREFIX_BURST: "2",
  GUEST_LOG_INS_PER_PREFIX_PER_SECOND: "0.1",
});
after(async () => {
  await core.stop();
  await limited.stop();
  rmSync(webDir, { recursive: true });
});

test("a game's page is found without its last slash, too, and led to it", async () => {
  const page = await fetch(`${core.url}/games/duel`);
  assert.match(await page.text(), /Duel/);
  assert.equal(new URL(page.url).pathname, "/games/duel/");
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

test("the OpenAPI page works over plain http too", async () => {
  const page = await fetch(`${core.url}/docs/`);
  const policy = page.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /upgrade-insecure-requests/);
  const script = /src="(\.?\/[^"]*bundle\.js)"/.exec(await page.text())?.[1] ?? "";
  assert.equal((await fetch(new URL(script, page.url))).status, 200);
});

test("no answer with a token is kept by a cache; the public keys are, for a moment", async () => {
  const headers = { "content-type": "application/json" };
  for (const path of ["/v1/guests", "/v1/tokens/refresh", "/v1/join", "/matchmake/join/arena"]) {
    const answer = await fetch(core.url + path, { method: "POST", headers, body: "{}" });
    assert.equal(answer.headers.get("cache-control"), "no-store", path);
  }
  const status = await fetch(`${core.privateUrl}/ops/tokens`);
  assert.equal(status.headers.get("cache-control"), "no-store");
  const keys = await fetch(`${core.url}/.well-known/jwks.json`);
  assert.equal(keys.headers.get("cache-control"), "public, max-age=5");
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
    "/matchmake/reconnect/{name}",
    "/matchmake/{method}/{name}",
    "/play",
    "/v1/emails/log-in",
    "/v1/emails/register",
    "/v1/emails/reset",
    "/v1/emails/reset/confirm",
    "/v1/guests",
    "/v1/join",
    "/v1/join/renew",
    "/v1/me",
    "/v1/me/delete",
    "/v1/me/email",
    "/v1/me/export",
    "/v1/me/password",
    "/v1/me/possessions",
    "/v1/me/purchases",
    "/v1/me/round-trips",
    "/v1/openings",
    "/v1/players",
    "/v1/players/{playerId}",
    "/v1/queue/events",
    "/v1/queue/leave",
    "/v1/queue/poll",
    "/v1/reconnect",
    "/v1/regions",
    "/v1/route",
    "/v1/tokens/exchange",
    "/v1/tokens/refresh",
    "/v1/tokens/revoke",
    "/v1/tokens/revoke-all",
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
    fetch(`${limited.url}/v1/guests`, {
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
  const refused = await send({});
  assert.equal(refused.status, 429);
  // Less than the whole period when the burst itself took a while.
  assert.match(refused.headers.get("retry-after") ?? "", /^([1-9]|10)$/);
  assert.equal((await refused.json()).error.kind, "too_many_requests");
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
    TRUSTED_PROXIES: "127.0.0.1,foo",
    ACCESS_TOKEN_TTL_MS: "3600001",
    TICKET_TTL_MS: "3600001",
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

test("trusted proxies are addresses or ranges of either family", () => {
  const { schema } = coreSettings.TRUSTED_PROXIES;
  const taken = "127.0.0.1, 10.0.0.0/8, ::1, fd00::/8";
  assert.deepEqual(schema.parse(taken), ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"]);
  for (const wrong of ["foo", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "::1/129", "10.0/8"]) {
    const { error } = schema.safeParse(wrong);
    assert.match(error?.issues[0]?.message ?? "", /is neither an address nor a CIDR/, wrong);
  }
});
