import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { Housekeeping } from "../db/housekeeping.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { Evictions } from "../join/evictions.ts";
import { Keyring } from "../tickets/keyring.ts";
import { Vault } from "../tickets/master-key.ts";
import { SignedTokens } from "../tickets/signed-tokens.ts";
import { Accounts } from "./accounts.ts";
import { LogIns } from "./log-ins.ts";
import { decideRefresh } from "./refresh-step.ts";

const created = await startTestDatabase();
after(() => created.drop());
const { database } = created;
const clock = new FakeClock();
const master = randomBytes(32);
const keyring = new Keyring({
  database,
  vault: new Vault(master, randomBytes),
  clock,
  random: randomBytes,
});
await keyring.start();
const tokens = new SignedTokens({
  keyring,
  clock,
  random: randomBytes,
  accessTtlMs: 600_000,
  ticketTtlMs: 30_000,
});
const log = createLog("test", "silent");
const metrics = createMetrics({});
const logIns = new LogIns({
  database,
  tokens,
  master,
  clock,
  random: randomBytes,
  refreshTtlMs: 30 * 86_400_000,
  refreshGraceMs: 30_000,
  log,
  metrics,
});
const evictions = new Evictions({
  database,
  calls: { evict: async () => {} },
  liveNode: () => undefined,
  clock,
  log,
  metrics,
});
const accounts = new Accounts({
  database,
  forLogIns: database,
  logIns,
  evictions,
  profiles: { forget() {} },
  clock,
  random: randomBytes,
});
const device = "phone";
const unauthorized = (error: unknown) => isFailure(error, "unauthorized");
const reused = (error: unknown) => isFailure(error, "token_reused");

test("a guest is made once and logs in again with the secret", async () => {
  const made = await accounts.createGuest({ device, name: "Ada" });
  assert.ok(made.secret);
  const again = await accounts.logInGuest(made.secret, { device });
  assert.equal(again.playerId, made.playerId);
  assert.equal(again.name, "Ada");
  assert.equal(again.secret, undefined, "the secret is answered only once");
  assert.equal(await tokens.verifyAccess(again.accessToken), made.playerId);
  await assert.rejects(accounts.logInGuest("x".repeat(43), { device }), unauthorized);
});

test("a guest may change the name, at log-in or later", async () => {
  const made = await accounts.createGuest({ device });
  assert.match(made.name, /^Guest \d{4}$/);
  assert.ok(made.secret);
  const renamed = await accounts.logInGuest(made.secret, { device, name: "Bo" });
  assert.equal(renamed.name, "Bo");
  assert.equal((await accounts.rename(made.playerId, "Cy")).name, "Cy");
  assert.deepEqual(await accounts.me(made.playerId), {
    playerId: made.playerId,
    name: "Cy",
    guest: true,
    email: null,
  });
});

test("a refresh token is rotated, and each successor works once", async () => {
  const first = await accounts.createGuest({ device });
  const second = await logIns.refresh(first.refreshToken, device);
  const third = await logIns.refresh(second.refreshToken, device);
  assert.equal(third.playerId, first.playerId);
  assert.equal(new Set([first, second, third].map((pair) => pair.refreshToken)).size, 3);
  assert.equal(third.refreshExpiresInMs, 30 * 86_400_000);
});

test("one player's log-ins are not renewed without end: each renewal is a row for 30 days", async () => {
  const first = await accounts.createGuest({ device });
  let { refreshToken } = first;
  const renewed = async () => {
    for (let n = 0; n < 100; n += 1) {
      ({ refreshToken } = await logIns.refresh(refreshToken, device));
    }
  };
  await assert.rejects(renewed(), (error) => isFailure(error, "too_many_requests"));
  const rows = await database.rows("select from refresh_tokens where player_id = $1", [
    first.playerId,
  ]);
  assert.ok(rows.length <= 31, `${rows.length} rows`);
  clock.advance(5_000);
  await logIns.refresh(refreshToken, device);
});

test("a lost answer: the same device gets the same successor for 30 s", async () => {
  const first = await accounts.createGuest({ device });
  const second = await logIns.refresh(first.refreshToken, device);
  clock.advance(30_000);
  const again = await logIns.refresh(first.refreshToken, device);
  assert.equal(again.refreshToken, second.refreshToken);
  assert.equal(again.refreshExpiresInMs, 30 * 86_400_000 - 30_000);
  await logIns.refresh(again.refreshToken, device);
});

test("two calls at the same moment get the same successor", async () => {
  const first = await accounts.createGuest({ device });
  const [a, b] = await Promise.all([
    logIns.refresh(first.refreshToken, device),
    logIns.refresh(first.refreshToken, device),
  ]);
  assert.equal(a.refreshToken, b.refreshToken);
  assert.deepEqual(
    [a.refreshExpiresInMs, b.refreshExpiresInMs],
    [30 * 86_400_000, 30 * 86_400_000],
    "the one that waited knows its successor's life too",
  );
});

test("a revocation and a rotation at the same moment leave no token behind", async () => {
  for (let round = 0; round < 20; round += 1) {
    const first = await accounts.createGuest({ device });
    const second = await logIns.refresh(first.refreshToken, device);
    clock.advance(30_001);
    const ends = [
      () => logIns.revoke(first.refreshToken),
      () => assert.rejects(logIns.refresh(first.refreshToken, device), reused),
      () => accounts.logOutEverywhere(first.playerId),
    ];
    const end = ends[round % ends.length];
    await Promise.allSettled([logIns.refresh(second.refreshToken, device), end?.()]);
    const rows = await database.rows<{ live: number }>(
      `select count(*) as live from refresh_tokens where revoked_at is null and player_id = $1`,
      [first.playerId],
    );
    assert.equal(rows[0]?.live, 0);
  }
});

test("log out everywhere ends every log-in, and gives a guest a new secret", async () => {
  const made = await accounts.createGuest({ device });
  assert.ok(made.secret);
  const other = await accounts.logInGuest(made.secret, { device: "another" });
  const { secret } = await accounts.logOutEverywhere(made.playerId, made.secret);
  assert.ok(secret);
  for (const { refreshToken } of [made, other]) {
    await assert.rejects(logIns.refresh(refreshToken, device), unauthorized);
  }
  await assert.rejects(accounts.logInGuest(made.secret, { device }), unauthorized);
  assert.equal((await accounts.logInGuest(secret, { device })).playerId, made.playerId);
});

test("log out everywhere without the secret leaves it to its owner", async () => {
  const made = await accounts.createGuest({ device });
  const other = await accounts.createGuest({ device });
  assert.ok(made.secret);
  for (const shown of [undefined, other.secret]) {
    assert.deepEqual(await accounts.logOutEverywhere(made.playerId, shown), { ok: true });
  }
  await assert.rejects(logIns.refresh(made.refreshToken, device), unauthorized);
  const back = await accounts.logInGuest(made.secret, { device });
  assert.equal(back.playerId, made.playerId);
});

const thefts = [
  {
    what: "after the 30 s",
    async steal(first: string) {
      await logIns.refresh(first, device);
      clock.advance(30_001);
      await logIns.refresh(first, device);
    },
  },
  {
    what: "from another device",
    async steal(first: string) {
      await logIns.refresh(first, device);
      await logIns.refresh(first, "another");
    },
  },
  {
    what: "after its successor was used",
    async steal(first: string) {
      await logIns.refresh((await logIns.refresh(first, device)).refreshToken, device);
      await logIns.refresh(first, device);
    },
  },
];
for (const { what, steal } of thefts) {
  test(`a token that comes again ${what} ends its family, and no other`, async () => {
    const made = await accounts.createGuest({ device });
    assert.ok(made.secret);
    const other = await accounts.logInGuest(made.secret, { device });
    const second = (await accounts.createGuest({ device })).refreshToken;
    await assert.rejects(steal(made.refreshToken), reused);
    await assert.rejects(logIns.refresh(made.refreshToken, device), unauthorized);
    const rows = await database.rows<{ live: number }>(
      `select count(*) as live from refresh_tokens where revoked_at is null and player_id = $1`,
      [made.playerId],
    );
    assert.equal(rows[0]?.live, 1, "the other log-in of the same guest");
    await logIns.refresh(other.refreshToken, device);
    await logIns.refresh(second, device);
  });
}

test("revoking ends the whole family, and an unknown token is no error", async () => {
  const first = await accounts.createGuest({ device });
  const second = await logIns.refresh(first.refreshToken, device);
  await logIns.revoke(first.refreshToken);
  await assert.rejects(logIns.refresh(second.refreshToken, device), unauthorized);
  await logIns.revoke("y".repeat(43));
});

test("a refresh token expires, and housekeeping deletes it", async () => {
  const first = await accounts.createGuest({ device });
  clock.advance(30 * 86_400_000);
  await assert.rejects(logIns.refresh(first.refreshToken, device), unauthorized);
  const ephemeral = await accounts.createEphemeral();
  clock.advance(8 * 86_400_000);
  await new Housekeeping({ database, clock, log, metrics: createMetrics({}) }).run();
  const left = await database.rows<{ tokens: number; ephemeral: number }>(
    `select (select count(*) from refresh_tokens where expires_at < $1) as tokens,
            (select count(*) from players where id = $2) as ephemeral`,
    [new Date(clock.nowMs()), ephemeral],
  );
  assert.deepEqual(left, [{ tokens: 0, ephemeral: 0 }]);
  assert.equal((await accounts.me(first.playerId)).playerId, first.playerId);
});

test("no secret can be read in the database", async () => {
  const made = await accounts.createGuest({ device });
  const next = await logIns.refresh(made.refreshToken, device);
  const rows = await database.rows<{ text: string }>(
    `select g::text as text from guest_secrets g union all
     select t::text from refresh_tokens t`,
  );
  const all = rows.map((row) => row.text).join("\n");
  for (const secret of [made.secret ?? "", made.refreshToken, next.refreshToken]) {
    assert.ok(secret.length >= 43);
    const bytes = Buffer.from(secret, "base64url").toString("hex");
    assert.ok(!all.includes(secret) && !all.includes(bytes));
  }
});

test("the core's own role can neither change tables nor the audit log", async () => {
  const denied = /permission denied|must be owner/;
  await assert.rejects(database.run("drop table players"), denied);
  await assert.rejects(database.run("create table extra (n integer)"), denied);
  await assert.rejects(database.run("delete from audit_log"), denied);
  await assert.rejects(database.run("update audit_log set action = 'none'"), denied);
  // Nor by giving up that role: the login behind it has no more rights.
  const escaped = database.transaction(async (tx) => {
    await tx.run("set local role none");
    await tx.run("delete from meridian.audit_log");
  });
  await assert.rejects(escaped, denied);
  await assert.rejects(database.run("set session authorization postgres"), denied);
});

test("what becomes of a refresh token", () => {
  const fresh = {
    device,
    expiresMs: 1_000,
    usedMs: undefined,
    revoked: false,
    successorUsed: false,
  };
  const at = { device, nowMs: 500, graceMs: 100 };
  assert.equal(decideRefresh(undefined, at), "refused");
  assert.equal(decideRefresh(fresh, at), "rotate");
  assert.equal(decideRefresh({ ...fresh, revoked: true }, at), "refused");
  assert.equal(decideRefresh(fresh, { ...at, nowMs: 1_000 }), "refused");
  assert.equal(decideRefresh({ ...fresh, usedMs: 400 }, at), "repeat");
  assert.equal(decideRefresh({ ...fresh, usedMs: 399 }, at), "reused");
  assert.equal(decideRefresh({ ...fresh, usedMs: 450, successorUsed: true }, at), "reused");
  assert.equal(decideRefresh({ ...fresh, usedMs: 450 }, { ...at, device: "x" }), "reused");
});
