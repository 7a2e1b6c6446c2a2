/**
 * Log-in storms: whoever plays already refreshes, renews and comes back while guests and passwords come faster
 * than the core can take them. What is asserted is what became of each call, not how long it took.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { decodeJwt } from "jose";
import pg from "pg";
import { Agent, type Dispatcher, request } from "undici";
import { TicketClaims } from "../shared/protocol/ticket.ts";
import { until } from "../test/until.ts";
import { startTestCore } from "./test-core.ts";
import { startTestRegion } from "./test-region.ts";

const PLAYERS = 6;
const STORM_CALLS_MAX = 600;
/** More than the log-ins' half of the ten connections. */
const LOG_INS_MAX = 8;
const HANGING_CALLS = 100;
const core = await startTestCore({
  LOG_INS_UNDER_WAY_MAX: String(LOG_INS_MAX),
  // Not the rates are to end the storm here: those know nothing of what the core can take.
  GUESTS_PER_PREFIX_PER_SECOND: "100000",
  GUESTS_PER_PREFIX_BURST: "100000",
  GUESTS_PER_SECOND: "100000",
  GUESTS_BURST: "100000",
});
const region = await startTestRegion({ core, name: "beijing" });
await region.beat();
const owner = new pg.Client({ connectionString: core.databaseUrl });
await owner.connect();
/** Of the storm and of those who play: neither waits for a connection of the other. */
const crowd = new Agent({ connections: 100, pipelining: 1 });
const regulars = new Agent({ connections: PLAYERS * 4, pipelining: 1 });
after(async () => {
  await owner.end();
  await crowd.close();
  await regulars.close();
  await region.stop();
  await core.stop();
});

async function post(
  dispatcher: Dispatcher,
  path: string,
  body: object,
  headers: Record<string, string> = {},
) {
  const answer = await request(core.url + path, {
    method: "POST",
    dispatcher,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  // biome-ignore lint/suspicious/noExplicitAny: an answer may have any form; the tests look into it.
  const json: any = await answer.body.json();
  return { status: answer.statusCode, headers: answer.headers, body: json };
}

/** The answer to a call that must succeed. */
async function done(path: string, body: object, headers?: Record<string, string>) {
  const answer = await post(regulars, path, body, headers);
  assert.equal(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Somebody in a room, who can do what players do there. */
async function newPlayer() {
  const guest = await done("/v1/guests", {});
  const authorization = `Bearer ${guest.accessToken}`;
  const joined = await done("/v1/join", { game: "arena", protocol: 1 }, { authorization });
  const { roomId, reconnectionToken } = TicketClaims.parse(decodeJwt(joined.ticket));
  let { refreshToken } = guest;
  let { ticket } = joined;
  return {
    /** A refresh, a renewal, and both ways back, at the same time. */
    async act() {
      await Promise.all([
        done("/v1/tokens/refresh", { refreshToken }).then((pair) => {
          refreshToken = pair.refreshToken;
        }),
        done("/v1/join/renew", { ticket }).then((renewed) => {
          ticket = renewed.ticket;
        }),
        done("/v1/reconnect", { roomId, reconnectionToken, protocol: 1 }),
        done(`/matchmake/reconnect/${roomId}`, { reconnectionToken }),
      ]);
    },
  };
}

const players = await Promise.all(Array.from({ length: PLAYERS }, newPlayer));
const password = "correct horse";
const known = { email: "ada@example.org", password };
const { deviceToken } = await done("/v1/emails/register", known);

type Answered = Awaited<ReturnType<typeof post>>;

/** Each was let in, or told when to come back. */
function assertServedOrRefused(answers: readonly Answered[], servedAs: readonly number[]): void {
  for (const { status, headers, body } of answers) {
    if (servedAs.includes(status)) continue;
    // 504: whoever was let in and waited too long.
    assert.ok([429, 503, 504].includes(status), `${status}: ${JSON.stringify(body)}`);
    assert.ok(Number(headers["retry-after"]) >= 1, `${status} without Retry-After`);
    assert.equal(body.error.retryable, true);
  }
}

const isRefused = ({ status }: Answered) => status !== 200;

test("log-ins that hang in the database take no connection from those who play", async () => {
  await owner.query("begin; lock table meridian.guest_secrets in access exclusive mode");
  let answered = 0;
  const storm = Promise.all(
    Array.from({ length: HANGING_CALLS }, async () => {
      const answer = await post(crowd, "/v1/guests", {});
      answered += 1;
      return answer;
    }),
  );
  await until("who is too many is refused", () => answered >= HANGING_CALLS - LOG_INS_MAX);
  for (const player of players) await player.act();
  await region.heartbeat();
  await owner.query("rollback");
  const answers = await storm;
  assertServedOrRefused(answers, [200]);
  assert.ok(answers.filter(isRefused).length >= HANGING_CALLS - LOG_INS_MAX);
});

test("in a storm of guests and passwords every refresh, renewal and return succeeds", async () => {
  const calls: Promise<Answered>[] = [];
  let ticks = 0;
  const storm = setInterval(() => {
    if (calls.length > STORM_CALLS_MAX) return;
    for (let n = 0; n < 2 * LOG_INS_MAX; n += 1) calls.push(post(crowd, "/v1/guests", {}));
    ticks += 1;
    if (ticks % 4 > 0) return;
    calls.push(
      post(crowd, "/v1/emails/log-in", { ...known, deviceToken }),
      post(crowd, "/v1/emails/log-in", { email: `nobody.${ticks}@example.org`, password }),
    );
  }, 20);
  try {
    await until("the storm is on", () => calls.length > 200);
    for (const player of players) {
      await player.act();
      await region.heartbeat();
    }
  } finally {
    clearInterval(storm);
  }
  const answers = await Promise.all(calls);
  assertServedOrRefused(answers, [200, 401]);
  assert.ok(answers.some(isRefused), `all of ${answers.length} were let in: that is no storm`);
  const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
  assert.match(metrics, /^meridian_requests_capped_total\{.*route="POST \/v1\/guests".*\} [1-9]/m);
  assert.match(metrics, /^meridian_requests_by_cap\{.*cap="log_ins".*\} 0$/m, "nothing hangs");
});
