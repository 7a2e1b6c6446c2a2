/** Signing keys are replaced while players log in and join: none of them notices. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeProtectedHeader } from "jose";
import { Meridian } from "../../shared/client/meridian.ts";
import { GuestAnswer, TokenPair } from "../../shared/protocol/accounts.ts";
import { until } from "../until.ts";
import { worldForTests } from "../world.ts";

/** Each logs in, renews and joins, one time after the other. */
const CROWD = 4;
/** After the new key began to sign. */
const MORE_ROUNDS = 10;
/** A new key is published for 10 s before it signs. */
const SIGNS_WITHIN_MS = 20_000;

/** All of the crowd come from one address: what one may do is not what is tested. */
const NO_LIMITS = {
  GUESTS_PER_PREFIX_PER_SECOND: "1000",
  GUESTS_PER_PREFIX_BURST: "10000",
  GUESTS_PER_SECOND: "1000",
  GUESTS_BURST: "10000",
};

const world = worldForTests({ regions: 1, env: { LOG_LEVEL: "warn", ...NO_LIMITS } });

async function call(path: string, { body, token }: { body?: object; token?: string }) {
  return await fetch(world().core.url + path, {
    method: body ? "POST" : "GET",
    headers: {
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
}

async function newGuest(): Promise<GuestAnswer> {
  const answer = await call("/v1/guests", { body: {} });
  assert.equal(answer.status, 200);
  return GuestAnswer.parse(await answer.json());
}

const keyOf = (token: string) => decodeProtectedHeader(token).kid;

/** @throws when anything on the way fails */
async function playOnce(): Promise<string | undefined> {
  const guest = await newGuest();
  const renewed = await call("/v1/tokens/refresh", { body: { refreshToken: guest.refreshToken } });
  assert.equal(renewed.status, 200);
  const { accessToken } = TokenPair.parse(await renewed.json());
  assert.equal((await call("/v1/me", { token: accessToken })).status, 200);
  const play = await new Meridian({ url: world().core.url }).join("arena");
  await play.leave();
  return keyOf(accessToken);
}

test("keys are rotated under load without a failed log-in or join", async (t) => {
  const early = await newGuest();
  const oldKey = keyOf(early.accessToken);
  const signedBy = new Map<string | undefined, number>();
  let over = false;
  const crowd = Array.from({ length: CROWD }, async () => {
    while (!over) {
      const key = await playOnce();
      signedBy.set(key, (signedBy.get(key) ?? 0) + 1);
    }
  });
  const all = Promise.all(crowd);
  // A failure is met at once, not only once the waiting below is over.
  const failed = all.then(() => false as const);
  t.after(() => {
    over = true;
  });
  await Promise.race([failed, until("players play", () => (signedBy.get(oldKey) ?? 0) >= CROWD)]);

  const { core, operatorToken } = world();
  const rotated = await fetch(`${core.opsUrl}/ops/keys/rotate`, {
    method: "POST",
    headers: { authorization: `Bearer ${operatorToken}` },
  });
  assert.equal(rotated.status, 200);
  const newKey = () => [...signedBy].find(([key]) => key !== oldKey)?.[1] ?? 0;
  await Promise.race([
    failed,
    until("the new key signs", () => newKey() >= MORE_ROUNDS, SIGNS_WITHIN_MS),
  ]);
  over = true;
  await all;
  assert.equal(signedBy.size, 2, "two keys, one after the other");
  const me = await call("/v1/me", { token: early.accessToken });
  assert.equal(me.status, 200, "what the former key signed is good until it expires");
  t.diagnostic(`${[...signedBy.values()].join(" + ")} rounds of log-in, renewal and join`);
});
