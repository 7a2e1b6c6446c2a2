/** Whoever had an account, or was banned from it, keeps nothing of it. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import pg from "pg";
import { until } from "../../test/until.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { callsOf, PROXIED } from "./test-calls.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-mails-"));
const mailFile = join(dir, "mails");
const core = await startTestCore({ ...PROXIED, MAIL_FILE: mailFile });
const sql = new pg.Client({ connectionString: core.databaseUrl });
await sql.connect();
await sql.query("set search_path = meridian");
after(async () => {
  await sql.end();
  await core.stop();
  rmSync(dir, { recursive: true });
});
const { post, done, kind } = callsOf(core);
const password = "correct horse";

async function operate(method: "POST" | "DELETE", path: string, body?: object): Promise<void> {
  const response = await fetch(`${core.privateUrl}/ops/players/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${OPERATOR_TOKEN}`,
      ...(body && { "content-type": "application/json" }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  assert.equal(response.status, 200);
}

function untilWaiting(what: string, count: number): Promise<unknown> {
  return until(what, async () => {
    const { rows } = await sql.query("select count(*)::int as n from pg_locks where not granted");
    return rows[0].n >= count;
  });
}

test("who was banned can't have the address anew while the account is being deleted", async () => {
  const email = "banned@example.org";
  const { playerId } = await done("/v1/emails/register", { email, password });
  await operate("POST", `${playerId}/ban`, { reason: "cheating", endsAt: null });
  // Holds the deletion up, after it has deleted the address.
  await sql.query("begin");
  await sql.query("select from known_prefixes where player_id = $1 for update", [playerId]);
  const deletion = operate("DELETE", playerId);
  await untilWaiting("the deletion", 1);
  const registration = kind("/v1/emails/register", { email, password });
  await untilWaiting("the registration", 2);
  await sql.query("commit");
  await deletion;
  assert.equal(await registration, "banned");
});

/** Uses up what strangers to the account may fail. */
async function lockOutStrangers(email: string): Promise<void> {
  for (let n = 0; n < 11; n += 1) {
    const guess = { email, password: `guess number ${n}` };
    await post("/v1/emails/log-in", guess, { from: `203.0.${n}.1` });
  }
}

test("a device that knew the former password is a stranger to the new one", async () => {
  const email = "changed@example.org";
  const first = await done("/v1/emails/register", { email, password }, { from: "198.51.100.1" });
  const beganS = Math.floor(Date.now() / 1_000);
  await until("the next second", () => Math.floor(Date.now() / 1_000) > beganS);
  const change = { password, newPassword: "brand new one" };
  const owner = { token: first.accessToken, from: "198.51.100.1" };
  const changed = await done("/v1/me/password", change, owner);
  await lockOutStrangers(email);
  const from = "192.0.2.1";
  const guess = { email, password: "brand new two", deviceToken: first.deviceToken };
  assert.equal(await kind("/v1/emails/log-in", guess, { from }), "too_many_requests");
  const right = { email, password: "brand new one", deviceToken: changed.deviceToken };
  await done("/v1/emails/log-in", right, { from });
});

function mailedToken(): Promise<string> {
  return until("the mail", () => {
    try {
      return JSON.parse(readFileSync(mailFile, "utf8").trim().split("\n").at(-1) ?? "").token;
    } catch {
      return undefined;
    }
  });
}

test("links that were mailed before a change of the password are void", async () => {
  const email = "mailed@example.org";
  const { accessToken } = await done("/v1/emails/register", { email, password });
  await done("/v1/emails/reset", { email });
  const token = await mailedToken();
  await done("/v1/me/password", { password, newPassword: "brand new one" }, { token: accessToken });
  const confirm = { token, password: "another one still" };
  assert.equal(await kind("/v1/emails/reset/confirm", confirm), "reset_invalid");
});

test("a flood of registrations keeps nobody from a password that was proved", async () => {
  const email = "forgetful@example.org";
  const { accessToken } = await done("/v1/emails/register", { email, password });
  const registered = Array.from({ length: 90 }, (_, n) =>
    post("/v1/emails/register", { email: `flood.${n}@example.org`, password }),
  );
  await until("a refusal", async () => (await Promise.race(registered)).status !== undefined);
  const change = { password, newPassword: "brand new one" };
  const { status } = await post("/v1/me/password", change, { token: accessToken });
  const statuses = (await Promise.all(registered)).map((answer) => answer.status);
  assert.ok(statuses.includes(503), "the flood is more than can wait");
  assert.equal(status, 200);
});

test("nobody keeps the owner of a known device from the reset by asking for too many", async () => {
  const [email, other] = ["carried@example.org", "carried.too@example.org"];
  const from = "198.18.7.1";
  const { deviceToken } = await done("/v1/emails/register", { email, password }, { from });
  await done("/v1/emails/register", { email: other, password }, { from });
  for (let n = 0; n < 30; n += 1) {
    await done("/v1/emails/reset", { email: `nobody.${n}@example.org` }, { from });
  }
  assert.equal(await kind("/v1/emails/reset", { email }, { from }), "too_many_requests");
  // Of another account the token is worth nothing, without a word.
  await done("/v1/emails/reset", { email: other, deviceToken }, { from });
  await done("/v1/emails/reset", { email, deviceToken }, { from });
  const mails = await until("the mail", () => {
    const text = readFileSync(mailFile, "utf8");
    return text.includes(`"to":"${email}"`) && text;
  });
  assert.ok(!mails.includes(other));
  await done("/v1/emails/reset", { email, deviceToken }, { from });
  const again = { email, deviceToken };
  assert.equal(await kind("/v1/emails/reset", again, { from }), "too_many_requests", "three");
});
