/** Caps of routes: what they let in and refuse, and that no route of the core is without one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createHttpServer } from "../../shared/http-server.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { startTestCore } from "../test-core.ts";
import { capMetrics, RequestCaps } from "./request-caps.ts";

const log = createLog("test", "silent");

/** Two routes that share a cap of one, one with a cap of its own, one without any. */
async function startServer() {
  const metrics = createMetrics({});
  const options = { clock: new FakeClock(), log, metrics: capMetrics(metrics) };
  const server = createHttpServer({ log, bodyBytesMax: 1_024, requestTimeoutMs: 5_000 });
  new RequestCaps("tested", { shared: { joins: 1 }, others: 2 }, options).guard(server);
  const waiting: (() => void)[] = [];
  const wait = () => new Promise<string>((done) => waiting.push(() => done("done")));
  server.post("/join", { config: { cap: "joins" } }, wait);
  server.post("/matchmake", { config: { cap: "joins" } }, wait);
  server.get("/me", wait);
  server.get("/healthz", { config: { cap: "none" } }, wait);
  await server.listen({ host: "127.0.0.1", port: 0 });
  const address = server.server.address();
  assert.ok(typeof address === "object" && address);
  const { port } = address;
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, init);
  return {
    port,
    ask,
    post: (path: string, init: RequestInit = {}) =>
      ask(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
        ...init,
      }),
    waiting,
    metrics: async () => (await metrics.metrics()).split("\n"),
    /** Until so many handlers wait. */
    entered: (count: number) => until(`${count} have entered`, () => waiting.length === count),
    release() {
      for (const done of waiting.splice(0)) done();
    },
    stop: () => server.close(),
  };
}

test("a request past the cap is refused with when to come back, and one that ended makes room", async () => {
  const server = await startServer();
  const first = server.post("/join");
  await server.entered(1);
  for (const path of ["/join", "/matchmake"]) {
    const refused = await server.post(path);
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
    assert.equal((await refused.json()).error.kind, "unavailable");
  }
  const others = [server.ask("/me"), server.ask("/me")];
  await server.entered(3);
  assert.equal((await server.ask("/me")).status, 503, "a cap of its own");
  const uncapped = Array.from({ length: 5 }, () => server.ask("/healthz"));
  await server.entered(8);
  const lines = await server.metrics();
  for (const line of [
    'meridian_requests_by_cap{server="tested",cap="joins"} 1',
    'meridian_requests_by_cap{server="tested",cap="GET /me"} 2',
    'meridian_requests_capped_total{server="tested",route="POST /join"} 1',
    'meridian_requests_capped_total{server="tested",route="POST /matchmake"} 1',
    'meridian_requests_capped_total{server="tested",route="GET /me"} 1',
  ]) {
    assert.ok(lines.includes(line), line);
  }
  server.release();
  for (const one of await Promise.all([first, ...others, ...uncapped])) {
    assert.equal(one.status, 200);
  }
  const next = server.post("/join");
  await server.entered(1);
  server.release();
  assert.equal((await next).status, 200);
  await server.stop();
});

test("work counts until it has ended, although its caller has gone away", async () => {
  const server = await startServer();
  const leaving = new AbortController();
  const left = server.post("/join", { signal: leaving.signal });
  await server.entered(1);
  leaving.abort();
  await assert.rejects(left);
  assert.equal((await server.post("/join")).status, 503);
  server.release();
  await until("it has ended", async () =>
    (await server.metrics()).includes('meridian_requests_by_cap{server="tested",cap="joins"} 0'),
  );
  await server.stop();
});

test("a body that does not arrive closes the route to nobody, and one too many is not read", async () => {
  const server = await startServer();
  const slow = connect(server.port, "127.0.0.1");
  slow.write("POST /join HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n");
  slow.write("content-type: application/json\r\n\r\n{");
  const held = server.post("/join");
  await server.entered(1);
  const late = connect(server.port, "127.0.0.1");
  late.write("POST /join HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n");
  late.write("content-type: application/json\r\n\r\n{");
  const [answer] = await once(late, "data");
  assert.match(String(answer), /^HTTP\/1.1 503 /);
  server.release();
  assert.equal((await held).status, 200);
  slow.destroy();
  late.destroy();
  await server.stop();
});

test("every route of the core has a cap, but for health and metrics", async () => {
  const webDir = mkdtempSync(join(tmpdir(), "meridian-web-"));
  writeFileSync(join(webDir, "index.html"), "<!doctype html><title>Arena</title>");
  const core = await startTestCore({ WEB_DIR: webDir });
  after(async () => {
    await core.stop();
    rmSync(webDir, { recursive: true });
  });
  assert.ok(core.routes.length > 70, `${core.routes.length} routes`);
  const withoutCap = core.routes.filter(({ cappedBy }) => cappedBy === undefined);
  assert.deepEqual(
    new Set(withoutCap.map(({ server, route }) => `${server}: ${route.replace("HEAD", "GET")}`)),
    new Set([
      "private server: GET /healthz",
      "private server: GET /readyz",
      "private server: GET /metrics",
    ]),
  );
  const capOf = (wanted: string) =>
    core.routes.find(({ route }) => route.endsWith(wanted))?.cappedBy;
  assert.equal(capOf("POST /v1/guests"), "log_ins");
  assert.equal(capOf("POST /v1/tokens/refresh"), "refreshes");
  assert.equal(capOf("POST /v1/reconnect"), "returns");
  assert.equal(capOf("POST /matchmake/reconnect/:name"), "returns");
  assert.equal(capOf("POST /link/heartbeat"), "heartbeats");
  assert.equal(capOf(" /*"), "files");
  assert.equal(capOf("GET /v1/me"), "GET /v1/me");
  // The server answers as ever, through what wraps the handlers.
  const head = await fetch(`${core.url}/v1/regions`, { method: "HEAD" });
  assert.equal(head.status, 200);
});
