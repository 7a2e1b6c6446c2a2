/** E-mail and password, end to end: real HTTP, a real database, a real receiver of mails. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { hash } from "@node-rs/argon2";
import pg from "pg";
import { startTestCore } from "../test-core.ts";
import { callsOf, PROXIED } from "./test-calls.ts";

interface Posted {
  readonly headers: IncomingMessage["headers"];
  readonly mail: { to: string; link: string; token: string; kind: string; name: string };
}

const posted: Posted[] = [];
let failuresLeft = 0;
/** The studio's own server, which sends the mails. */
const mailServer = createServer((request: IncomingMessage, response: ServerResponse) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    posted.push({ headers: request.headers, mail: JSON.parse(Buffer.concat(chunks).toString()) });
    failuresLeft -= 1;
    response.writeHead(failuresLeft >= 0 ? 503 : 204).end();
  });
});
await new Promise<void>((resolve) => {
  mailServer.listen(0, "127.0.0.1", resolve);
});
const { port } = mailServer.address() as AddressInfo;

const FAILURES_PER_SECOND = 10;
const FAILURES_BURST = 100;
const core = await startTestCore({
  ...PROXIED,
  LOG_IN_FAILURES_PER_SECOND: String(FAILURES_PER_SECOND),
  LOG_IN_FAILURES_BURST: String(FAILURES_BURST),
  MAIL_HOOK_URL: `http://127.0.0.1:${port}/mail`,
  MAIL_HOOK_TOKEN: "hook-secret",
  PASSWORD_RESET_PAGE: "https://play.example.org/account",
  GUESTS_PER_PREFIX_BURST: "1000",
});
const sql = new pg.Client({ connectionString: core.databaseUrl });
await sql.connect();
await sql.query("set search_path = meridian");
after(async () => {
  await sql.end();
  await core.stop();
  mailServer.closeAllConnections();
  mailServer.close();
});

const { post, done, kind, me } = callsOf(core);
const password = "correct horse";
let made = 0;
function newEmail(): string {
  made += 1;
  return `ada.${made}@example.org`;
}

async function until<T>(what: string, probe: () => T | undefined): Promise<T> {
  const giveUpAtMs = performance.now() + 10_000;
  for (;;) {
    const value = probe();
    if (value !== undefined) return value;
    assert.ok(performance.now() < giveUpAtMs, `never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function mailTo(email: string, nth = 0): Promise<Posted> {
  return until(
    `mail ${nth} to ${email}`,
    () => posted.filter(({ mail }) => mail.to === email)[nth],
  );
}

async function registered(email = newEmail()) {
  return { email, ...(await done("/v1/emails/register", { email, password, name: "Ada" })) };
}

async function resetToken(email: string, nth = 0): Promise<string> {
  await done("/v1/emails/reset", { email });
  return (await mailTo(email, nth)).mail.token;
}

test("an account is registered once, and logs in by any spelling of its address", async () => {
  const ada = await registered("  Ada@Example.ORG ");
  assert.deepEqual(await me(ada.accessToken), {
    playerId: ada.playerId,
    name: "Ada",
    guest: false,
    email: "ada@example.org",
  });
  const again = await done("/v1/emails/log-in", { email: "ADA@example.org", password });
  assert.equal(again.playerId, ada.playerId);
  const taken = { email: "ada@EXAMPLE.org", password: "another password" };
  assert.equal(await kind("/v1/emails/register", taken), "conflict");
  const { rows } = await sql.query("select count(*)::int as players from players");
  assert.equal(rows[0].players, 1, "a refused registration leaves no player behind");
});

test("wrong address and wrong password get the same answer", async () => {
  const { email } = await registered();
  const wrong = await post("/v1/emails/log-in", { email, password: "wrong horse" });
  const nobody = await post("/v1/emails/log-in", { email: newEmail(), password: "wrong horse" });
  assert.equal(wrong.status, 401);
  assert.deepEqual(nobody, wrong);
});

test("addresses and passwords are bounded, and need nothing but length", async () => {
  const refused: [string, string][] = [
    ["ada", password],
    ["ada@localhost", password],
    [`${"a".repeat(65)}@example.org`, password],
    [`a@${"b.".repeat(130)}org`, password],
    ["a b@example.org", password],
    ["ada\u0000@example.org", password],
    [newEmail(), "7 bytes"],
    [newEmail(), "x".repeat(129)],
    [newEmail(), "é".repeat(65)],
  ];
  for (const [email, given] of refused) {
    const body = { email, password: given };
    assert.equal(await kind("/v1/emails/register", body), "bad_request", `${email} ${given}`);
  }
  for (const given of ["aaaaaaaa", "x".repeat(128), "é".repeat(64), "日本語の"]) {
    await done("/v1/emails/register", { email: newEmail(), password: given });
  }
});

test("a hash of older parameters works, and is renewed at the log-in", async () => {
  const { email, playerId } = await registered();
  const hashOf = async () => {
    const text = "select password_hash from emails where player_id = $1";
    return (await sql.query(text, [playerId])).rows[0].password_hash as string;
  };
  assert.match(await hashOf(), /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  const old = await hash(password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 });
  await sql.query("update emails set password_hash = $2 where player_id = $1", [playerId, old]);
  await done("/v1/emails/log-in", { email, password });
  assert.match(await hashOf(), /m=19456,t=2,p=1/);
  await done("/v1/emails/log-in", { email, password });
});

test("a guest who links an address stays the same player, with the same ways in", async () => {
  const guest = await done("/v1/guests", { name: "Guesty" });
  const email = newEmail();
  const token = guest.accessToken;
  const proof = { secret: guest.secret };
  const linked = await done("/v1/me/email", { email, password, proof }, { token });
  assert.deepEqual(
    [linked.playerId, linked.name, linked.guest, linked.email],
    [guest.playerId, "Guesty", false, email],
  );
  const byMail = await done("/v1/emails/log-in", { email, password });
  assert.equal(byMail.playerId, guest.playerId);
  const bySecret = await done("/v1/guests", { secret: guest.secret });
  assert.equal(bySecret.playerId, guest.playerId);
  const other = { email: newEmail(), password, proof };
  assert.equal(await kind("/v1/me/email", other, { token }), "conflict", "one address an account");
  const stranger = await done("/v1/guests", {});
  const taken = { token: stranger.accessToken };
  const own = { email, password, proof: { secret: stranger.secret } };
  assert.equal(await kind("/v1/me/email", own, taken), "conflict");
});

test("an access token alone links no address: it needs what opens the account", async () => {
  const [guest, thief] = [await done("/v1/guests", {}), await done("/v1/guests", {})];
  const wish = { email: newEmail(), password };
  const stolen = { token: guest.accessToken };
  assert.equal(await kind("/v1/me/email", wish, stolen), "bad_request");
  const wrong = { ...wish, proof: { secret: thief.secret } };
  assert.equal(await kind("/v1/me/email", wrong, stolen), "unauthorized");
});

test("of many who want one address at once exactly one gets it", async () => {
  const email = newEmail();
  const guests = await Promise.all([1, 2, 3, 4].map(() => done("/v1/guests", {})));
  const answers = await Promise.all([
    ...guests.map(({ accessToken: token, secret }) =>
      post("/v1/me/email", { email, password, proof: { secret } }, { token }),
    ),
    post("/v1/emails/register", { email, password }),
  ]);
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [200, 409, 409, 409, 409]);
  const winner = answers.find(({ status }) => status === 200);
  const owner = await done("/v1/emails/log-in", { email, password });
  assert.equal(owner.playerId, winner?.body.playerId);
});

test("a changed password ends every other log-in, the guest's secret too", async () => {
  const guest = await done("/v1/guests", {});
  const email = newEmail();
  const proof = { secret: guest.secret };
  await done("/v1/me/email", { email, password, proof }, { token: guest.accessToken });
  const other = await done("/v1/emails/log-in", { email, password, device: "tablet" });
  const change = { password, newPassword: "battery staple", device: "phone" };
  const token = other.accessToken;
  const wrong = { ...change, password: "not the password" };
  assert.equal(await kind("/v1/me/password", wrong, { token }), "unauthorized");
  const kept = await done("/v1/me/password", change, { token });
  for (const { refreshToken } of [guest, other]) {
    assert.equal(await kind("/v1/tokens/refresh", { refreshToken }), "unauthorized");
  }
  await done("/v1/tokens/refresh", { refreshToken: kept.refreshToken, device: "phone" });
  assert.equal(await kind("/v1/guests", { secret: guest.secret }), "unauthorized");
  assert.equal(await kind("/v1/emails/log-in", { email, password }), "unauthorized");
  await done("/v1/emails/log-in", { email, password: "battery staple" });
});

test("a guest has no password to change", async () => {
  const guest = await done("/v1/guests", {});
  const change = { password, newPassword: "battery staple" };
  const token = guest.accessToken;
  assert.equal(await kind("/v1/me/password", change, { token }), "unauthorized");
});

test("of two changes of a password at once one wins, and the other is told", async () => {
  const ada = await registered();
  const call = { token: ada.accessToken };
  const change = (newPassword: string) => post("/v1/me/password", { password, newPassword }, call);
  const [one, two] = await Promise.all([change("first new one"), change("second new one")]);
  assert.deepEqual([one.status, two.status].sort(), [200, 401]);
  const winner = one.status === 200 ? "first new one" : "second new one";
  await done("/v1/emails/log-in", { email: ada.email, password: winner });
});

test("a forgotten password: the mail's link sets a new one, and everybody else is out", async () => {
  const ada = await registered();
  const asked = await post("/v1/emails/reset", { email: ada.email });
  const nobody = await post("/v1/emails/reset", { email: newEmail() });
  assert.deepEqual(nobody, asked, "nobody learns which addresses have an account");
  const { mail, headers } = await mailTo(ada.email);
  assert.deepEqual([mail.kind, mail.name], ["password_reset", "Ada"]);
  assert.equal(mail.link, `https://play.example.org/account#reset=${mail.token}`);
  assert.equal(headers.authorization, "Bearer hook-secret");
  const confirm = { token: mail.token, password: "brand new one" };
  const back = await done("/v1/emails/reset/confirm", confirm);
  assert.equal(back.playerId, ada.playerId);
  const { refreshToken } = ada;
  assert.equal(await kind("/v1/tokens/refresh", { refreshToken }), "unauthorized");
  assert.equal(await kind("/v1/emails/reset/confirm", confirm), "reset_invalid", "used");
  await done("/v1/emails/log-in", { email: ada.email, password: "brand new one" });
});

test("a reset used twice at once works once, whichever of its links", async () => {
  const { email } = await registered();
  const first = await resetToken(email);
  const second = await resetToken(email, 1);
  assert.notEqual(first, second);
  const answers = await Promise.all(
    [first, first, second, second].map((token, n) =>
      post("/v1/emails/reset/confirm", { token, password: `new password ${n}` }),
    ),
  );
  const statuses = answers.map(({ status }) => status);
  assert.deepEqual([...statuses].sort(), [200, 410, 410, 410]);
  const winner = `new password ${statuses.indexOf(200)}`;
  await done("/v1/emails/log-in", { email, password: winner });
});

test("a reset expires, and its token can't be read in the database", async () => {
  const { email } = await registered();
  const token = await resetToken(email);
  const { rows } = await sql.query("select r::text as row from password_resets r");
  const bytes = Buffer.from(token, "base64url").toString("hex");
  for (const { row } of rows) assert.ok(!row.includes(token) && !row.includes(bytes));
  await sql.query("update password_resets set expires_at = now() - interval '1 second'");
  const confirm = { token, password: "brand new one" };
  assert.equal(await kind("/v1/emails/reset/confirm", confirm), "reset_invalid");
});

test("a mail hook that fails for a while gets the mail again, under one key", async () => {
  const { email } = await registered();
  failuresLeft = 2;
  await done("/v1/emails/reset", { email });
  await mailTo(email, 2);
  const attempts = posted.filter(({ mail }) => mail.to === email);
  const keys = new Set(attempts.map(({ headers }) => headers["idempotency-key"]));
  assert.deepEqual([attempts.length, keys.size], [3, 1]);
});

test("mails to one address are limited without a word, and its links stay good", async () => {
  const { email } = await registered();
  for (let n = 0; n < 6; n += 1) await done("/v1/emails/reset", { email });
  const { mail } = await mailTo(email, 2);
  const { rows } = await sql.query(
    "select count(*)::int as n from password_resets join emails using (player_id) where address = $1",
    [email],
  );
  assert.equal(rows[0].n, 3);
  await done("/v1/emails/reset/confirm", { token: mail.token, password: "brand new one" });
});

test("guesses elsewhere never lock out an owner whose device or network is known", async () => {
  const owner = { from: "198.51.100.7" };
  const email = newEmail();
  const { deviceToken } = await done("/v1/emails/register", { email, password }, owner);
  let limited = false;
  for (let n = 0; n < 12; n += 1) {
    const guess = { email, password: `guess number ${n}` };
    const answer = await post("/v1/emails/log-in", guess, { from: `203.0.${n}.1` });
    limited = answer.status === 429;
    assert.ok(limited || answer.status === 401);
  }
  assert.ok(limited, "strangers are held up");
  const right = { email, password };
  const elsewhere = { from: "192.0.2.200" };
  assert.equal(await kind("/v1/emails/log-in", right, elsewhere), "too_many_requests");
  await done("/v1/emails/log-in", right, owner);
  const moved = await done("/v1/emails/log-in", { ...right, deviceToken }, elsewhere);
  assert.ok(moved.deviceToken);
  await done("/v1/emails/log-in", right, elsewhere);
  const forged = { email: newEmail(), password, deviceToken };
  assert.equal(await kind("/v1/emails/log-in", forged, elsewhere), "unauthorized");
});

test("a flood of guesses is refused before it is hashed, and owners log in meanwhile", async () => {
  const startMs = performance.now();
  const { email, deviceToken } = await registered();
  const flood = Promise.all(
    Array.from({ length: 400 }, (_, n) =>
      post(
        "/v1/emails/log-in",
        { email: `guess.${n}@example.org`, password },
        { from: `10.9.9.${n % 250}` },
      ),
    ),
  );
  const owner = { email, password, deviceToken };
  for (let n = 0; n < 5; n += 1) await done("/v1/emails/log-in", owner, { from: "192.0.2.9" });
  const answers = await flood;
  const refused = answers.filter(({ status }) => status === 429 || status === 503);
  // The burst, what comes back in the meantime, and what the owner's log-ins earn.
  const tookS = (performance.now() - startMs) / 1_000;
  const tried = FAILURES_BURST + FAILURES_PER_SECOND * tookS + 5;
  assert.ok(refused.length >= 400 - tried, `${refused.length} refused in ${tookS} s`);
  // On a machine that is busy otherwise some wait in vain: refused, too.
  assert.ok(answers.every(({ status }) => [401, 429, 503, 504].includes(status)));
  assert.ok(performance.now() - startMs < 30_000);
});
