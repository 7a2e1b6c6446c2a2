/** Profiles over a real link: gathered, cached, invalidated by news, stale with the core gone. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { PlayerId, uuidV7 } from "../../shared/ids.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createMetrics } from "../../shared/metrics.ts";
import type { FeedNews } from "../../shared/protocol/profiles.ts";
import { TestCore } from "../link/test-core.ts";
import type { SeenProfile } from "../rooms/room-profiles.ts";
import { until } from "../transport/test-tickets.ts";
import { ProfileLink } from "./profile-link.ts";

const GATHER_MS = 5;
const FRESH_MS = 3_000;
const STALE_MAX_MS = 600_000;

let core: TestCore;
let client: LinkClient;
let clock: FakeClock;
let link: ProfileLink;
let metrics: ReturnType<typeof createMetrics>;
let seq = 0;

before(async () => {
  core = await TestCore.start();
});
beforeEach(() => {
  clock = new FakeClock();
  client = new LinkClient(core.regionIdentity, clock);
  metrics = createMetrics({});
  link = new ProfileLink({ client, coreAddress: core.address, clock, metrics });
  seq = 0;
  hear([], { flush: true });
});
afterEach(async () => {
  core.profiles.clear();
  core.profileCalls.length = 0;
  core.profilesHeld = undefined;
  core.profileFailure = undefined;
  await client.stop();
});
after(() => core.stop());

/** What a heartbeat brings now. */
function hear(changed: readonly PlayerId[], change: Partial<FeedNews> = {}): void {
  const { place } = link;
  seq += changed.length;
  const news: FeedNews = {
    ...(place && { after: place }),
    place: { feedId: "feed", seq },
    changed: [...changed],
    flush: false,
    ageMs: 0,
    ...change,
  };
  core.feed = news;
  link.hear(news, clock.monotonicMs());
}

function newPlayer(name: string): PlayerId {
  const id = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
  rename(id, name);
  return id;
}

const rename = (id: PlayerId, name: string) =>
  core.profiles.set(id, { id, name, createdAt: "2026-01-01T00:00:00.000Z" });

/** Asks, and lets the time to gather pass. */
function get(...ids: PlayerId[]): Promise<(SeenProfile | undefined)[]> {
  const all = ids.map((id) => link.get(id));
  clock.advance(GATHER_MS);
  return Promise.all(all);
}

async function shown(id: PlayerId): Promise<string | undefined> {
  const [profile] = await get(id);
  return profile && `${profile.name}${profile.stale ? " (stale)" : ""}`;
}

function held(): () => void {
  let letGo = () => {};
  core.profilesHeld = new Promise((resolve) => {
    letGo = resolve;
  });
  return () => {
    core.profilesHeld = undefined;
    letGo();
  };
}

test("what rooms ask for within a moment is one call, and then no call at all", async () => {
  const ids = Array.from({ length: 50 }, (_, n) => newPlayer(`Player ${n}`));
  const names = (await get(...ids, ...ids)).map((profile) => profile?.name);
  assert.deepEqual(
    names,
    [...ids, ...ids].map((_, n) => `Player ${n % 50}`),
  );
  assert.deepEqual(core.profileCalls, [ids]);
  assert.equal((await get(...ids)).length, 50);
  assert.equal(core.profileCalls.length, 1);
});

test("a thousand who ask for one player at a time make one call", async () => {
  const ada = newPlayer("Ada");
  const all = Promise.all(Array.from({ length: 1_000 }, () => link.get(ada)));
  clock.advance(GATHER_MS);
  assert.deepEqual(new Set((await all).map((profile) => profile?.name)), new Set(["Ada"]));
  assert.deepEqual(core.profileCalls, [[ada]]);
});

test("a change that the feed tells is asked for anew, and only that", async () => {
  const [ada, bea] = [newPlayer("Ada"), newPlayer("Bea")];
  await get(ada, bea);
  rename(ada, "Ada II");
  assert.equal(await shown(ada), "Ada");
  hear([ada]);
  assert.deepEqual([await shown(ada), await shown(bea)], ["Ada II", "Bea"]);
  assert.deepEqual(core.profileCalls.slice(1), [[ada]]);
});

test("a fetch that began before a change and is answered after it leaves no old value", async () => {
  const ada = newPlayer("Ada");
  const letGo = held();
  const early = get(ada);
  await until(() => core.profileCalls.length === 1, "the first call");
  rename(ada, "Ada II");
  hear([ada]);
  letGo();
  assert.equal((await early)[0]?.name, "Ada", "asked before the change was heard of");
  assert.equal(await shown(ada), "Ada II");
  assert.equal(core.profileCalls.length, 2);
});

test("who asks after a change was heard of does not join a fetch that began before", async () => {
  const ada = newPlayer("Ada");
  const letGo = held();
  const early = get(ada);
  await until(() => core.profileCalls.length === 1, "the first call");
  rename(ada, "Ada II");
  hear([ada]);
  const late = get(ada);
  await until(() => core.profileCalls.length === 2, "the second call");
  letGo();
  assert.equal((await late)[0]?.name, "Ada II");
  await early;
  assert.equal(await shown(ada), "Ada II", "and the early answer does not replace it");
  assert.equal(core.profileCalls.length, 2);
});

test("a gap in the feed flushes, also what is on its way", async () => {
  const [ada, bea] = [newPlayer("Ada"), newPlayer("Bea")];
  await get(ada);
  const letGo = held();
  const early = get(bea);
  await until(() => core.profileCalls.length === 2, "the second call");
  hear([], { flush: true, place: { feedId: "of the next life", seq: 0 } });
  letGo();
  await early;
  await get(ada, bea);
  assert.deepEqual(core.profileCalls.slice(2), [[ada, bea]]);
});

test("that there is no such player is believed for five seconds", async () => {
  const nobody = PlayerId.parse(uuidV7(1, randomBytes(10)));
  assert.equal(await shown(nobody), undefined);
  assert.equal(await shown(nobody), undefined);
  assert.equal(core.profileCalls.length, 1);
  rename(nobody, "Ada");
  clock.advance(5_001);
  assert.equal(await shown(nobody), "Ada");
});

test("with the core gone what is known is told as stale, for ten minutes", async () => {
  const [ada, bea] = [newPlayer("Ada"), newPlayer("Bea")];
  await get(ada);
  core.profileFailure = new MeridianError("unavailable");
  const unavailable = (error: unknown) => isFailure(error, "unavailable");
  clock.advance(FRESH_MS - GATHER_MS * 2);
  assert.equal(await shown(ada), "Ada");
  clock.advance(FRESH_MS);
  assert.equal(await shown(ada), "Ada (stale)");
  assert.equal(core.profileCalls.length, 1, "nobody waits for a core that is gone");
  await assert.rejects(get(bea), unavailable);
  clock.advance(STALE_MAX_MS);
  await assert.rejects(get(ada), unavailable);
  core.profileFailure = undefined;
  hear([]);
  assert.equal(
    await shown(ada),
    "Ada",
    "and is as good as new once the feed goes on without a gap",
  );
});

test("a feed that the core could not read for a while makes what is known stale", async () => {
  const ada = newPlayer("Ada");
  await get(ada);
  clock.advance(60_000);
  hear([], { ageMs: 60_000 });
  assert.equal(await shown(ada), "Ada (stale)");
  hear([], { ageMs: 100 });
  assert.equal(await shown(ada), "Ada");
});

test("after ten minutes a profile is read anew, and is stale if that fails", async () => {
  const ada = newPlayer("Ada");
  await get(ada);
  clock.advance(600_001);
  hear([]);
  core.profileFailure = new MeridianError("unavailable");
  assert.equal(await shown(ada), "Ada (stale)");
  core.profileFailure = undefined;
  rename(ada, "Ada II");
  assert.equal(await shown(ada), "Ada II");
});

test("an id is the same in either case", async () => {
  const ada = newPlayer("Ada");
  await get(ada);
  assert.equal(await shown(ada.toUpperCase() as PlayerId), "Ada");
  assert.equal(core.profileCalls.length, 1);
});
