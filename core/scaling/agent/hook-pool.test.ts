/** The hook, with a real server: what it gets, whether the signature holds, and what becomes of failures. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { FakeClock } from "../../../shared/fake-clock.ts";
import { RegionId } from "../../../shared/ids.ts";
import { until } from "../../../test/until.ts";
import { HookPool } from "./hook-pool.ts";

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
let got: Got[] = [];
/** What it answers next, 200 when there is nothing; 0: never. */
let statuses: number[] = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (bytes) => {
    body += String(bytes);
  });
  request.on("end", () => {
    got.push({ headers: request.headers, body });
    const status = statuses.shift() ?? 200;
    if (status > 0) response.writeHead(status, { location: "/elsewhere" }).end();
  });
});
before(() => new Promise<void>((done) => server.listen(0, "127.0.0.1", done)));
beforeEach(() => {
  got = [];
  statuses = [];
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const SECRET = "a secret of both sides";
const regionId = RegionId.parse("beijing");
const order = { regionId, nodes: 2, reason: "load", why: "2 nodes: 81 play" };
const signal = new AbortController().signal;

function pool(deadlineMs = 5_000) {
  const clock = new FakeClock();
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/scale`;
  const hook = new HookPool({ url, secret: SECRET, deadlineMs, clock, random: () => 0 });
  return { clock, hook };
}

/** Moves time on whenever something waits for it. */
async function inTime(clock: FakeClock, work: Promise<void>): Promise<void> {
  let over = false;
  const done = work.finally(() => {
    over = true;
  });
  done.catch(() => {});
  await until("it is over", () => {
    if (clock.pending > 0) clock.advance(1_000);
    return over;
  });
  await done;
}

test("an order is posted once, under a signature that the receiver can check", async () => {
  const { hook, clock } = pool();
  await hook.setNodes(order, signal);
  await hook.setNodes(order, signal);
  assert.equal(got.length, 1, "the same order again");
  const { headers, body } = got[0] as Got;
  assert.deepEqual(JSON.parse(body), { ...order, remove: null });
  const timestamp = headers["x-meridian-timestamp"];
  assert.equal(timestamp, "1700000000");
  const expected = createHmac("sha256", SECRET).update(`${timestamp}.${body}`).digest("hex");
  assert.equal(headers["x-meridian-signature"], `v1=${expected}`);
  clock.advance(60_000);
  await hook.setNodes(order, signal);
  assert.equal(got.length, 2, "its nodes are still not there");
  await hook.setNodes({ ...order, nodes: 3 }, signal);
  assert.equal(JSON.parse((got[2] as Got).body).nodes, 3);
});

test("a failure that may pass is tried three times, under one key; another one once", async () => {
  const { hook, clock } = pool();
  statuses = [503, 429];
  await inTime(clock, hook.setNodes(order, signal));
  assert.equal(got.length, 3);
  assert.equal(new Set(got.map(({ headers }) => headers["idempotency-key"])).size, 1);
  statuses = [500, 500, 500];
  const more = { ...order, nodes: 5 };
  await assert.rejects(inTime(clock, hook.setNodes(more, signal)), { kind: "unavailable" });
  assert.equal(got.length, 6);
  for (const status of [400, 302]) {
    statuses = [status];
    await assert.rejects(hook.setNodes(more, signal), { kind: "bad_request" });
  }
  assert.equal(got.length, 8);
});

test("a hook that does not answer costs its deadline", async () => {
  const { hook, clock } = pool(20);
  statuses = [0, 0, 0];
  await assert.rejects(inTime(clock, hook.setNodes(order, signal)), { kind: "timeout" });
});
