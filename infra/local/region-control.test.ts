import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { FakeClock } from "../../shared/fake-clock.ts";
import { AWAY_MS, CONTROL_FILE, RegionControl } from "./region-control.ts";

const ORIGIN = "http://127.0.0.1:7300";
const dir = mkdtempSync(join(tmpdir(), "meridian-control-"));
const clock = new FakeClock();
const done: string[] = [];
let fails = false;

const part = (name: string) => ({
  knockOut: () => done.push(`kill ${name}`),
  async restart() {
    if (fails) throw new Error(`${name}: its port is in use`);
    done.push(`start ${name}`);
  },
});
const beijing = { redis: part("redis"), nodes: [part("node 1"), part("node 2")] };
const control = new RegionControl({
  origins: [ORIGIN],
  partsOf: (id) => (id === "beijing" ? beijing : undefined),
  clock,
  report: () => {},
});
await control.start();
control.tell(dir);
const told: { url: string; token: string } = JSON.parse(
  readFileSync(join(dir, CONTROL_FILE), "utf8"),
);
after(() => {
  control.stop();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  done.length = 0;
});

function call(path: string, change: RequestInit & { origin?: string; token?: string } = {}) {
  const { origin = ORIGIN, token = told.token, ...init } = change;
  const headers = { origin, authorization: `Bearer ${token}` };
  return fetch(`${told.url}/regions/${path}`, { method: "POST", headers, ...init });
}

const killed = ["kill node 1", "kill node 2", "kill redis"];
const started = ["start redis", "start node 1", "start node 2"];

test("all of a region is killed, and comes back after a while or when it is asked for", async () => {
  const answer = await call("beijing/kill");
  assert.equal(answer.headers.get("access-control-allow-origin"), ORIGIN);
  assert.deepEqual(await answer.json(), { backInMs: AWAY_MS });
  assert.deepEqual(done, killed);
  clock.advance(AWAY_MS - 1);
  await setImmediate();
  assert.deepEqual(done, killed);
  clock.advance(1);
  await setImmediate();
  assert.deepEqual(done, [...killed, ...started]);

  await call("beijing/kill");
  done.length = 0;
  assert.equal((await call("beijing/start")).status, 200);
  clock.advance(AWAY_MS);
  await setImmediate();
  assert.deepEqual(done, started, "once");
});

test("what does not start is told", async () => {
  fails = true;
  const answer = await call("beijing/start");
  fails = false;
  assert.equal(answer.status, 500);
  assert.deepEqual(await answer.json(), { message: "redis: its port is in use" });
});

test("nobody else has a say: not a foreign page, not without the token, not by a link", async () => {
  const statuses = await Promise.all([
    call("beijing/kill", { origin: "https://elsewhere.example" }),
    call("beijing/kill", { origin: "" }),
    call("beijing/kill", { token: "" }),
    call("beijing/kill", { token: "x".repeat(told.token.length) }),
    call("beijing/kill", { method: "GET" }),
    call("nowhere/kill"),
    call("beijing/stop"),
    call("../beijing/kill"),
  ]);
  assert.deepEqual(
    statuses.map(({ status }) => status),
    [403, 403, 401, 401, 405, 404, 404, 404],
  );
  const preflight = await call("beijing/kill", { method: "OPTIONS" });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-methods"), "POST");
  assert.deepEqual(done, []);
});
