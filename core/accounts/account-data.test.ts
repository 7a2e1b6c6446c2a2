/** A player's own data, bans, and what is left after a deletion: real HTTP, a real database. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { callsOf } from "./test-calls.ts";

const core = await startTestCore();
const region = await startTestRegion({ core, name: "beijing" });
await region.beat();
after(async () => {
  await region.stop();
  await core.stop();
});
const { post, done, kind, me } = callsOf(core);
const CLI = fileURLToPath(new URL("../ops/cli.ts", import.meta.url));

/** `npm run ops -- …` as an operator types it. */
async function ops(...args: string[]): Promise<string> {
  const env = {
    ...process.env,
    MERIDIAN_OPS_URL: core.privateUrl,
    MERIDIAN_OPERATOR_TOKEN: OPERATOR_TOKEN,
  };
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args], { env });
  return stdout;
}

const newGuest = () => done("/v1/guests", { name: "Ada", device: "phone" });
const join = { game: "arena", protocol: 1 };

test("a ban refuses log-in, refresh and join, ends the session, and tells why and until when", async () => {
  const guest = await newGuest();
  const seat = await done("/v1/join", join, { token: guest.accessToken });
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const said = await ops("ban", guest.playerId, "--reason", "cheating", "--until", until);
  assert.match(said, /is banned until .* and is out of the room\./);
  const { roomId, sessionId } = seat.reservation;
  assert.ok(region.evicted.length > 0, "its node was told");
  // Again when it does not answer soon, as on a busy machine.
  for (const told of region.evicted) assert.deepEqual(told, { roomId, sessionId, kind: "banned" });
  const refused = [
    await post("/v1/guests", { secret: guest.secret }),
    await post("/v1/join", join, { token: guest.accessToken }),
    await post("/v1/join/renew", { ticket: seat.ticket }),
  ];
  for (const { status, body } of refused) {
    assert.equal(status, 403, JSON.stringify(body));
    assert.equal(body.error.kind, "banned");
    assert.deepEqual(body.error.ban, { reason: "cheating", endsAt: until });
  }
  const refreshToken = { refreshToken: guest.refreshToken, device: "phone" };
  assert.equal(await kind("/v1/tokens/refresh", refreshToken), "banned");

  assert.match(await ops("unban", guest.playerId), /may play again/);
  const back = await done("/v1/guests", { secret: guest.secret });
  assert.equal(back.playerId, guest.playerId);
  await done("/v1/join", join, { token: back.accessToken });
});

test("a ban during a join leaves no seat behind", async () => {
  await region.heartbeat();
  const guest = await newGuest();
  const joining = post("/v1/join", join, { token: guest.accessToken });
  const [joined] = await Promise.all([joining, ops("ban", guest.playerId, "--reason", "spam")]);
  if (joined.status === 200) {
    const { sessionId } = joined.body.reservation;
    assert.ok(region.evicted.some((one) => one.sessionId === sessionId));
  } else assert.equal(joined.body.error.kind, "banned");
  assert.equal(await kind("/v1/join", join, { token: guest.accessToken }), "banned");
});

test("a player gets all that is stored, with a proof of who asks, and so does an operator", async () => {
  const guest = await newGuest();
  const call = { token: guest.accessToken };
  const proof = { secret: guest.secret };
  assert.equal(
    await kind("/v1/me/export", { proof: { secret: "x".repeat(24) } }, call),
    "unauthorized",
  );
  const data = await done("/v1/me/export", { proof }, call);
  assert.equal(data.playerId, guest.playerId);
  assert.equal(data.name, "Ada");
  assert.equal(data.guestSecret, true);
  assert.equal(data.logIns[0].device, "phone");
  assert.doesNotMatch(JSON.stringify(data), new RegExp(guest.secret));
  assert.equal(JSON.parse(await ops("player", "show", guest.playerId)).playerId, guest.playerId);
});

test("a deleted account is gone, but for what operators did and a ban that holds", async () => {
  const email = "gone@example.org";
  const password = "correct horse";
  const account = await done("/v1/emails/register", { email, password });
  const call = { token: account.accessToken };
  assert.notEqual(await kind("/v1/me/delete", { proof: { password: "wrong horse" } }, call), "");
  await ops("ban", account.playerId, "--reason", "cheating");
  await done("/v1/me/delete", { proof: { password } }, call);
  assert.equal((await me(account.accessToken)).error.kind, "unauthorized");
  assert.equal(await kind("/v1/emails/log-in", { email, password }), "unauthorized");
  assert.equal(
    await kind("/v1/emails/register", { email, password }),
    "banned",
    "no way out of it",
  );
  await assert.rejects(ops("player", "show", account.playerId), /There is no such player/);
});

test("the command says what is missing", async () => {
  await assert.rejects(ops("ban", "someone"), /ban needs --reason/);
  await assert.rejects(ops("ban"), /give the player's id/);
  await assert.rejects(ops("unban", "not-an-id"), /ops: /);
});
