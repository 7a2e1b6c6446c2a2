/** Look-ups over the core's own ports: what players see, what regions get, and who is never refused. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { isFailure } from "../../shared/errors.ts";
import type { GuestAnswer } from "../../shared/protocol/accounts.ts";
import type { FeedPlace } from "../../shared/protocol/profiles.ts";
import { ProfilesAnswer } from "../../shared/protocol/profiles.ts";
import { until } from "../../test/until.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const core = await startTestCore({
  LOOK_UPS_PER_PLAYER_BURST: "20",
  LOOK_UPS_PER_PLAYER_PER_SECOND: "0.1",
});
const region = await startTestRegion({ core, name: "beijing" });
await region.beat();
after(async () => {
  await region.stop();
  await core.stop();
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: each test reads its own fields.
  readonly body: any;
}

async function call(
  path: string,
  guest?: GuestAnswer,
  method = "GET",
  body?: object,
): Promise<Answer> {
  const response = await fetch(core.url + path, {
    method,
    headers: {
      ...(guest && { authorization: `Bearer ${guest.accessToken}` }),
      ...(body && { "content-type": "application/json" }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

const newGuest = async (name: string): Promise<GuestAnswer> =>
  (await call("/v1/guests", undefined, "POST", { name })).body;

async function filterFull(): Promise<void> {
  await until("the filter to be full", async () => {
    const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
    return /^meridian_known_ids_full\{[^}]*\} 1$/m.test(metrics);
  });
}

function profilesOf(ids: readonly string[]): Promise<ProfilesAnswer> {
  return region.client.call({
    address: core.linkAddress,
    peer: { role: "core" },
    path: "/link/profiles",
    body: { ids },
    answer: ProfilesAnswer,
    deadlineMs: 5_000,
  });
}

test("another player's profile: id, name and when it was made, and nothing else", async () => {
  const [ada, bea] = [await newGuest("Ada"), await newGuest("Bea")];
  const { status, body } = await call(`/v1/players/${bea.playerId.toUpperCase()}`, ada);
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), ["createdAt", "id", "name"]);
  assert.deepEqual([body.id, body.name], [bea.playerId, "Bea"]);
  const named = await call("/v1/players?name=Bea", ada);
  assert.deepEqual(named.body, { players: [body] });
  assert.deepEqual((await call("/v1/players?name=Nobody", ada)).body, { players: [] });
  const none = await call(`/v1/players/${randomUUID()}`, ada);
  assert.deepEqual([none.status, none.body.error.kind], [404, "not_found"]);
});

test("a look-up needs a log-in, and one player's are limited", async () => {
  const ada = await newGuest("Ada");
  const path = `/v1/players/${ada.playerId}`;
  for (const way of [path, "/v1/players?name=Ada"]) {
    assert.equal((await call(way)).body.error.kind, "unauthorized");
  }
  for (const wrong of ["/v1/players/nobody", "/v1/players", "/v1/players?name="]) {
    assert.equal((await call(wrong, ada)).body.error.kind, "bad_request");
  }
  for (let n = 0; n < 20; n += 1) assert.equal((await call(path, ada)).status, 200);
  const refused = await call(path, ada);
  assert.equal(refused.body.error.kind, "too_many_requests");
  assert.ok(refused.body.error.retryAfterMs > 0);
  assert.equal((await call(path, await newGuest("Bea"))).status, 200, "others go on");
});

test("who changes a name sees the new one at once; the next log-in may change it, too", async () => {
  const ada = await newGuest("Ada");
  const path = `/v1/players/${ada.playerId}`;
  for (const name of ["Bea", "Cid", "Dee"]) {
    const before = call(path, ada);
    await call("/v1/me", ada, "PATCH", { name });
    assert.equal((await call(path, ada)).body.name, name);
    await before;
  }
  await call("/v1/guests", undefined, "POST", { secret: ada.secret, name: "Eve" });
  assert.equal((await call(path, ada)).body.name, "Eve");
});

test("heartbeats carry the feed: first everything may be wrong, then what changed, once", async () => {
  const ada = await newGuest("Ada");
  const first = (await region.heartbeat()).feed;
  assert.deepEqual([first?.flush, first?.changed], [true, []]);
  let place: FeedPlace | undefined = first?.place;
  await call("/v1/me", ada, "PATCH", { name: "Bea" });
  const changed: string[] = [];
  await until("the rename", async () => {
    const { feed } = await region.heartbeat(place && { feed: place });
    assert.ok(feed && !feed.flush && feed.ageMs < 5_000);
    place = feed.place;
    changed.push(...feed.changed);
    return changed.includes(ada.playerId);
  });
  const { feed } = await region.heartbeat(place && { feed: place });
  changed.push(...(feed?.changed ?? []));
  assert.equal(changed.filter((id) => id === ada.playerId).length, 1);
  const unknown = { feedId: "of another core", seq: 3 };
  assert.equal((await region.heartbeat({ feed: unknown })).feed?.flush, true);
  await call("/v1/me/delete", ada, "POST", { proof: { secret: ada.secret } });
  const gone = await profilesOf([ada.playerId]);
  assert.deepEqual(gone.profiles, []);
});

test("a region gets many profiles in one call, so many at most, and only those who exist", async () => {
  const guests = await Promise.all(["Ada", "Bea", "Cid"].map(newGuest));
  const ids = guests.map(({ playerId }) => playerId);
  const { profiles } = await profilesOf([...ids, ...ids, randomUUID()]);
  assert.deepEqual(profiles.map(({ name }) => name).sort(), ["Ada", "Bea", "Cid"]);
  const tooMany = Array.from({ length: 201 }, () => randomUUID());
  await assert.rejects(profilesOf(tooMany), (error) => isFailure(error, "bad_request"));
});

test("a banned player's profile is seen as before", async () => {
  const [ada, bea] = [await newGuest("Ada"), await newGuest("Bea")];
  const banned = await fetch(`${core.privateUrl}/ops/players/${bea.playerId}/ban`, {
    method: "POST",
    headers: {
      authorization: "Bearer operator-token-for-tests",
      "content-type": "application/json",
    },
    body: JSON.stringify({ reason: "for a test", endsAt: null }),
  });
  assert.equal(banned.status, 200);
  const { body } = await call(`/v1/players/${bea.playerId}`, ada);
  assert.deepEqual(Object.keys(body).sort(), ["createdAt", "id", "name"]);
});

test("who was made a moment ago, whom the filter does not know yet, joins like anybody", async () => {
  await filterFull();
  for (let n = 0; n < 10; n += 1) {
    const guest = await newGuest(`New ${n}`);
    assert.equal((await call("/v1/me", guest)).status, 200);
    const join = await call("/v1/join", guest, "POST", { game: "arena", protocol: 1 });
    assert.equal(join.status, 200);
    const renewed = await call("/v1/join/renew", undefined, "POST", { ticket: join.body.ticket });
    assert.equal(renewed.status, 200);
  }
});
