/** Where a player was, where friends are, what a party measured: what joining makes of it, in a whole core. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { PlayerId, RoomId, SessionId, uuidV7 } from "../../shared/ids.ts";
import { JoinAnswer } from "../../shared/protocol/join.ts";
import type { Heartbeat } from "../../shared/protocol/link.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion, type TestRegion } from "../test-region.ts";

const core = await startTestCore();
const beijing = await startTestRegion({ core, name: "beijing" });
const sibling = await startTestRegion({ core, name: "beijing", incarnation: 2 });
const shanghai = await startTestRegion({ core, name: "shanghai" });
const regions = [beijing, sibling, shanghai];
after(async () => {
  await Promise.all(regions.map((region) => region.stop()));
  await core.stop();
});

interface Guest {
  readonly accessToken: string;
  readonly playerId: string;
}

async function call(method: string, path: string, body: unknown, token?: string) {
  const response = await fetch(core.url + path, {
    method,
    headers: {
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  const { status, headers } = response;
  return { status, headers, body: text === "" ? undefined : JSON.parse(text) };
}

async function newGuest(): Promise<Guest> {
  return (await call("POST", "/v1/guests", { name: "Ada" })).body;
}

/** Every node says anew how it is: a slow machine must not make one look down. */
async function beat(changes: ReadonlyMap<TestRegion, Partial<Heartbeat>> = new Map()) {
  await Promise.all(regions.map((region) => region.heartbeat(changes.get(region))));
}

async function join(guest: Guest, change: Record<string, unknown>) {
  const body = { game: "arena", protocol: 1, ...change };
  return await call("POST", "/v1/join", body, guest.accessToken);
}

async function joined(guest: Guest, change: Record<string, unknown>): Promise<JoinAnswer> {
  const { status, body } = await join(guest, change);
  assert.equal(status, 200, JSON.stringify(body));
  return JoinAnswer.parse(body);
}

async function regionOf(guest: Guest, change: Record<string, unknown>): Promise<string> {
  await beat();
  return (await joined(guest, change)).regionId;
}

const ways = (beijingMs: number, shanghaiMs: number) => ({
  roundTripsMs: { beijing: beijingMs, shanghai: shanghaiMs },
});

test("a player comes back to the last region after a small change, and leaves it for a big one", async () => {
  const ada = await newGuest();
  assert.equal(await regionOf(ada, ways(30, 40)), "beijing");
  assert.equal(await regionOf(ada, ways(40, 30)), "beijing");
  assert.equal(await regionOf(ada, ways(60, 30)), "shanghai");
  assert.equal(await regionOf(ada, ways(30, 40)), "shanghai");
  assert.equal(await regionOf(await newGuest(), ways(40, 30)), "shanghai", "others have no home");
});

test("a region that the player can't reach is none for them, also for a party, and is told so", async () => {
  const [ada, bob] = [await newGuest(), await newGuest()];
  await beat();
  const avoid = ["beijing"];
  const far = await joined(ada, { ...ways(5, 60), avoid });
  assert.equal(far.regionId, "shanghai");
  const reasons = far.ranking.find(({ regionId }) => regionId === "beijing")?.reasons;
  assert.equal(reasons?.[0], "the player can't reach it");
  assert.equal(await regionOf(bob, { ...ways(5, 60), party: [ada.playerId], avoid }), "shanghai");
  const nowhere = await join(ada, { region: "beijing", avoid });
  assert.equal(nowhere.body.error.kind, "no_region");
  const tooMany = Array.from({ length: 9 }, (_, at) => `region-${at}`);
  assert.equal((await join(ada, { avoid: tooMany })).status, 400);
});

test("friends' region and node are preferred, for as long as they are there", async () => {
  const [friend, ada, eve] = [await newGuest(), await newGuest(), await newGuest()];
  const roomAt = (full: TestRegion) => new Map([[full, { connected: 90 }]]);
  await beat(roomAt(beijing));
  const guests = await Promise.all(Array.from({ length: 10 }, newGuest));
  const named = [ada, eve, ...guests].map(({ playerId }) => playerId);
  const { reservation } = await joined(friend, { region: "beijing", friends: named });
  assert.equal(reservation.processId, sibling.nodeId);
  const friends = [friend.playerId];
  await beat(roomAt(sibling));
  const near = await joined(ada, { ...ways(45, 30), friends });
  assert.equal(near.reservation.processId, sibling.nodeId, "not where the most room is");
  assert.match(near.ranking[0]?.reasons.join() ?? "", /friends are there/);
  assert.equal(await regionOf(eve, { ...ways(55, 30), friends }), "shanghai", "too far");
  const stranger = await newGuest();
  assert.equal(await regionOf(stranger, { ...ways(45, 30), friends }), "shanghai", "not named");
  const playerId = PlayerId.parse(friend.playerId);
  const sessionId = SessionId.parse(reservation.sessionId);
  await beat(new Map([[sibling, { leftSessions: [{ playerId, sessionId }] }]]));
  // The answer to that heartbeat doesn't wait for the database.
  for (let tries = 0; tries < 100; tries += 1) {
    const guest = guests[tries % guests.length];
    // Having been there before alone is not enough to go there again.
    if (guest && (await regionOf(guest, { ...ways(46, 30), friends })) === "shanghai") return;
  }
  assert.fail("who left counts still");
});

test("who plays gets into a room at another node of the full region by its id", async () => {
  const [friend, ada] = [await newGuest(), await newGuest()];
  const roomId = RoomId.parse("room-sibling");
  const { grant } = sibling;
  sibling.grant = async (request) => ({ ...sibling.granted(request), roomId });
  await beat(new Map([[beijing, { connected: 90 }]]));
  assert.equal((await joined(friend, { region: "beijing" })).reservation.roomId, roomId);
  await beat(new Map([[sibling, { connected: 90 }]]));
  const { reservation } = await joined(ada, { region: "beijing" });
  assert.equal(reservation.processId, beijing.nodeId);
  const full = { connected: 100 };
  await beat(new Map(regions.map((region) => [region, full])));
  const there = await joined(ada, { mode: "joinById", roomId });
  assert.equal(there.reservation.processId, sibling.nodeId);
  sibling.grant = grant;
});

async function measure(guest: Guest, change: Record<string, unknown>): Promise<void> {
  const path = "/v1/me/round-trips";
  assert.equal((await call("PUT", path, change, guest.accessToken)).status, 204);
}

test("a party goes where its worst placed member is best off, by what each measured", async () => {
  const [leader, member] = [await newGuest(), await newGuest()];
  await measure(member, { ...ways(70, 30), party: [leader.playerId] });
  const party = [member.playerId, leader.playerId];
  assert.equal(await regionOf(leader, { ...ways(20, 60), party }), "shanghai");
  assert.equal(await regionOf(await newGuest(), ways(20, 60)), "beijing", "alone it would not");
});

test("nobody is dragged past their cap: the party is told to wait", async () => {
  const [leader, member] = [await newGuest(), await newGuest()];
  await measure(member, { ...ways(200, 10), party: [leader.playerId] });
  await beat();
  const claim = { ...ways(5, 300), party: [member.playerId] };
  const { status, headers, body } = await join(leader, claim);
  assert.deepEqual([status, body.error.kind], [503, "party_apart"]);
  assert.equal(body.error.retryable, true);
  assert.equal(headers.get("retry-after"), "2");
  assert.ok(
    regions.every(({ asked }) => !asked.some(isOf(leader))),
    "no seat was taken",
  );
});

test("a party that insists on a region that is closed is told so, not to wait for its members", async () => {
  const [leader, member] = [await newGuest(), await newGuest()];
  await measure(member, ways(20, 20));
  await beat(new Map([[shanghai, { state: "draining" }]]));
  const insists = { ...ways(20, 20), party: [member.playerId], region: "shanghai" };
  const { status, body } = await join(leader, insists);
  assert.deepEqual([status, body.error.kind], [503, "no_region"]);
});

/** Whether a seat was asked for that player. */
function isOf({ playerId }: Guest) {
  return (asked: TestRegion["asked"][number]) =>
    asked.kind === "seat" && asked.player.playerId === playerId;
}

test("one player's call never says what another one measured", async () => {
  const [leader, member] = [await newGuest(), await newGuest()];
  await measure(member, { ...ways(70, 30), party: [leader.playerId] });
  // As if it were the member's: fields that the schema does not know are dropped.
  await measure(leader, { ...ways(20, 60), playerId: member.playerId });
  assert.equal((await call("PUT", "/v1/me/round-trips", ways(1, 1))).status, 401);
  const party = [member.playerId];
  assert.equal(await regionOf(leader, { ...ways(20, 60), party }), "shanghai");
});

test("nobody learns by a party where a player is who did not name them", async () => {
  const [stranger, member] = [await newGuest(), await newGuest()];
  const party = [member.playerId];
  for (const consent of [{}, { party: [] }, { party }]) {
    await measure(member, { ...ways(70, 30), ...consent });
    await beat();
    const { ranking } = await joined(stranger, { ...ways(0, 1), party });
    assert.deepEqual(
      ranking.map(({ roundTripMs }) => roundTripMs),
      [0, 1],
    );
    assert.doesNotMatch(JSON.stringify(ranking), /party/);
  }
});

test("who names their party once is asked no more, until they name another", async () => {
  const [leader, member] = [await newGuest(), await newGuest()];
  const party = [member.playerId];
  const led = () => regionOf(leader, { ...ways(20, 60), party });
  await beat();
  await joined(member, { ...ways(70, 30), party: [leader.playerId] });
  await joined(member, ways(70, 30));
  assert.equal(await led(), "shanghai");
  await measure(member, ways(70, 30));
  assert.equal(await led(), "beijing");
});

test("members of whom the core knows nothing do not weigh in", async () => {
  const strangers = [1, 2].map((at) => uuidV7(at, crypto.getRandomValues(new Uint8Array(10))));
  const leader = await newGuest();
  assert.equal(await regionOf(leader, { ...ways(5, 60), party: strangers }), "beijing");
});

test("regions that did not answer the client are tried last", async () => {
  const unanswered = ["shanghai"];
  assert.equal(await regionOf(await newGuest(), { unanswered }), "beijing");
  const insists = { unanswered, region: "shanghai" };
  assert.equal(await regionOf(await newGuest(), insists), "shanghai");
});

test("another build of the game than any region runs is to be updated", async () => {
  await beat();
  const guest = await newGuest();
  const old = await join(guest, { build: "of last year" });
  assert.deepEqual([old.status, old.body.error.kind], [426, "update_required"]);
  await beat(new Map([[beijing, { build: "next" }]]));
  const next = await joined(guest, { build: "next" });
  assert.equal(next.reservation.processId, beijing.nodeId);
});

test("with all regions fenced there is no region, and the answer says when to ask again", async () => {
  const operate = (method: string, region: string) =>
    fetch(`${core.privateUrl}/ops/regions/${region}/fence`, {
      method,
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}` },
    });
  const guest = await newGuest();
  for (const region of ["beijing", "shanghai"]) await operate("POST", region);
  await beat();
  const { status, headers, body } = await join(guest, {});
  assert.deepEqual([status, body.error.kind], [503, "no_region"]);
  assert.equal(headers.get("retry-after"), "2");
  await operate("DELETE", "beijing");
  assert.equal(await regionOf(guest, {}), "beijing");
});
