/** What a flood of calls that prove nothing may cost the database, and those who come back. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import { until } from "../../test/until.ts";
import { startTestCore } from "../test-core.ts";
import { type Answer, callsOf, PROXIED } from "./test-calls.ts";

const core = await startTestCore({
  ...PROXIED,
  TOKEN_CALLS_UNDER_WAY_MAX: "4",
  LOG_IN_FAILURES_PER_PREFIX_BURST: "2",
  LOG_IN_FAILURES_PER_PREFIX_PER_SECOND: "0.001",
});
const sql = new pg.Client({ connectionString: core.databaseUrl });
await sql.connect();
await sql.query("set search_path = meridian");
after(async () => {
  await sql.end();
  await core.stop();
});
const { post, done, kind } = callsOf(core);
const password = "correct horse";

/**
 * Makes so many calls while nothing can be read of the table; answers those that did not wait for it.
 * @param atLeast so many are to be answered meanwhile
 */
async function answeredWithout(
  table: string,
  calls: number,
  atLeast: number,
  call: (n: number) => Promise<Answer>,
): Promise<readonly Answer[]> {
  await sql.query("begin");
  await sql.query(`lock table ${table} in access exclusive mode`);
  const answers: Answer[] = [];
  const made = Promise.all(
    Array.from({ length: calls }, async (_, n) => answers.push(await call(n))),
  );
  try {
    await until(`${atLeast} of ${calls} are answered`, () => answers.length >= atLeast);
    return [...answers];
  } finally {
    await sql.query("rollback");
    await made;
  }
}

test("a device token opens no flood of look-ups of other accounts", async () => {
  const { deviceToken } = await done("/v1/emails/register", { email: "eve@example.org", password });
  await answeredWithout("emails", 150, 80, (n) => {
    const email = `guess.${n}@example.org`;
    return post("/v1/emails/log-in", { email, password, deviceToken }, { from: `10.1.${n}.1` });
  });
});

test("invented tokens of resets are looked up a few at a time", async () => {
  const answered = await answeredWithout("password_resets", 20, 16, (n) =>
    post("/v1/emails/reset/confirm", { token: `invented-token-number-${n}`, password }),
  );
  assert.equal(answered.length, 16);
  assert.ok(answered.every(({ status }) => status === 503));
});

test("invented ways back cost no look-up, and invented rooms few", async () => {
  const roomId = (n: number) => `room-${String(n).padStart(11, "0")}`;
  const reconnectionToken = "x".repeat(40);
  const back = await answeredWithout("rooms", 20, 20, (n) =>
    post("/v1/reconnect", { roomId: roomId(n), reconnectionToken, protocol: 1 }),
  );
  assert.equal(back.length, 20);
  assert.ok(back.every(({ status }) => status === 401));
  await answeredWithout("rooms", 200, 72, (n) => post(`/matchmake/joinById/${roomId(n)}`, {}));
});

test("whether there is a reset to note can't be told by the time of the answer", async () => {
  await done("/v1/emails/register", { email: "known@example.org", password });
  const emails = ["known@example.org", "nobody@example.org"];
  const answered = await answeredWithout("password_resets", 2, 2, (n) =>
    post("/v1/emails/reset", { email: emails[n] }, { from: "10.9.0.1" }),
  );
  assert.deepEqual(
    answered.map(({ status }) => status),
    [200, 200],
  );
  await until("the reset", async () => {
    return (await sql.query("select from password_resets")).rowCount === 1;
  });
});

test("accounts that are made earn no further failures", async () => {
  const from = "10.7.7.7";
  for (let n = 0; n < 3; n += 1) {
    await done("/v1/emails/register", { email: `sock.${n}@example.org`, password }, { from });
  }
  const guess = () => kind("/v1/emails/log-in", { email: "owner@example.org", password }, { from });
  assert.deepEqual([await guess(), await guess()], ["unauthorized", "unauthorized"]);
  assert.equal(await guess(), "too_many_requests");
});
