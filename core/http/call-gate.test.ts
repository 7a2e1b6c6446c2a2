/** The gate itself, and that the calls which need no log-in go through one. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { decodeJwt } from "jose";
import pg from "pg";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { TicketClaims } from "../../shared/protocol/ticket.ts";
import { until } from "../../test/until.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { CallGate } from "./call-gate.ts";

const core = await startTestCore({ TOKEN_CALLS_UNDER_WAY_MAX: "1", RETURNS_UNDER_WAY_MAX: "1" });
const region = await startTestRegion({ core, name: "beijing" });
await region.beat();
const owner = new pg.Client({ connectionString: core.databaseUrl });
await owner.connect();
after(async () => {
  await owner.end();
  await region.stop();
  await core.stop();
});

async function post(path: string, body: object, token?: string) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const headers = { "content-type": "application/json", ...authorization };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(core.url + path, init);
  return { status: response.status, headers: response.headers, body: await response.json() };
}

type Call = () => ReturnType<typeof post>;

/** What `refused` answers while `held` waits for a table of the database. */
async function whileHeld(table: string, held: Call, refused: Call): ReturnType<Call> {
  await owner.query(`begin; lock table meridian.${table} in access exclusive mode`);
  const holding = held();
  const waits = `select from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'`;
  // The core's own housekeeping may wait for the table as well.
  await until("the first call waits", async () => {
    const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
    const isLetIn =
      /^meridian_(returns_under_way(\{.*\})?|requests_by_cap\{.*(refreshes|token_calls).*\}) 1$/m.test(
        metrics,
      );
    return isLetIn && Number((await owner.query(waits)).rowCount) >= 1;
  });
  const answer = await refused();
  await owner.query("commit");
  await holding;
  return answer;
}

test("calls past the bound are refused and counted, until one ends, also by failing", async () => {
  const metrics = createMetrics({});
  const log = createLog("test", "silent");
  const gate = new CallGate({
    calls: "things",
    underWayMax: 1,
    clock: new FakeClock(),
    log,
    metrics,
  });
  let fail = (_error: Error) => {};
  const running = gate.run(
    () =>
      new Promise<string>((_resolve, reject) => {
        fail = reject;
      }),
  );
  assert.match(await metrics.metrics(), /meridian_things_under_way 1/);
  await assert.rejects(
    gate.run(() => assert.fail("it was let in")),
    (error) => isFailure(error, "unavailable") && error.retryAfterMs === 1_000,
  );
  assert.match(await metrics.metrics(), /meridian_things_refused_total 1/);
  fail(new Error("failed"));
  await assert.rejects(running, /failed/);
  assert.equal(await gate.run(async () => "done"), "done");
});

const invented = { refreshToken: "x".repeat(43) };
for (const path of ["/v1/tokens/refresh", "/v1/tokens/revoke"]) {
  test(`${path} past its bound is refused, and told when to come back`, async () => {
    const call = () => post(path, invented);
    const { status, headers, body } = await whileHeld("refresh_tokens", call, call);
    assert.deepEqual([status, body.error.kind], [503, "unavailable"]);
    assert.equal(headers.get("retry-after"), "1");
  });
}

test("renewals and reconnections share a bound", async () => {
  const { accessToken } = (await post("/v1/guests", {})).body;
  const { ticket } = (await post("/v1/join", { game: "arena", protocol: 1 }, accessToken)).body;
  const { roomId, reconnectionToken } = TicketClaims.parse(decodeJwt(ticket));
  const renew = () => post("/v1/join/renew", { ticket });
  const reconnect = () => post("/v1/reconnect", { roomId, reconnectionToken, protocol: 1 });
  for (const [held, refused] of [
    [renew, reconnect],
    [reconnect, renew],
  ] as const) {
    const { status, body } = await whileHeld("sessions", held, refused);
    assert.deepEqual([status, body.error.kind], [503, "unavailable"]);
  }
  assert.equal((await renew()).status, 200);
});
