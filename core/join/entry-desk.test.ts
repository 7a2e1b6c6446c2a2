/**
 * Who is let in where, and past whom: seats kept free, dropped players, lost regions, regions further away,
 * parties. Real HTTP, a real database, two regions of 100 seats, of which 50 are for everyone.
 */
import assert from "node:assert/strict";
import { after, afterEach, beforeEach, test } from "node:test";
import pg from "pg";
import { MeridianError } from "../../shared/errors.ts";
import { PlayerId } from "../../shared/ids.ts";
import { JoinOutcome } from "../../shared/protocol/join.ts";
import { PollAnswer, type QueuePlace } from "../../shared/protocol/queue.ts";
import { until } from "../../test/until.ts";
import { type Guest, playersApi } from "../admission/players-api.testkit.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion, type TestRegion } from "../test-region.ts";

const core = await startTestCore({ ADMISSION_HEADROOM: "n+1", ADMISSION_SPILL_MS: "20" });
const shanghai = await startTestRegion({ core, name: "shanghai" });
let beijing: TestRegion = await startTestRegion({ core, name: "beijing" });
const owner = new pg.Client({ connectionString: core.databaseUrl });
await owner.connect();
await owner.query("set search_path to meridian");
after(async () => {
  await owner.end();
  await shanghai.stop();
  await beijing.stop();
  await core.stop();
});

/** Both regions measured by the client: too far from each other to be sent there without a question. */
const FAR = { roundTripsMs: { shanghai: 10, beijing: 90 } };
const NEAR = { roundTripsMs: { shanghai: 10, beijing: 25 } };
const FULL = { connected: 50 };

const places: QueuePlace[] = [];
beforeEach(async () => {
  for (const region of [shanghai, beijing]) {
    region.asked.length = 0;
    region.grant = async (request) => region.granted(request);
    await region.beat(FULL);
  }
});
afterEach(async () => {
  for (const { token } of places.splice(0)) await post("/v1/queue/leave", { token });
});

const { post, newGuest } = playersApi(() => core.url);

async function join(guest: Guest, change: Record<string, unknown> = {}): Promise<JoinOutcome> {
  const body = { game: "arena", protocol: 1, mayQueue: true, ...FAR, ...change };
  const answer = await post("/v1/join", body, guest.accessToken);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const outcome = JoinOutcome.parse(answer.body);
  if ("queue" in outcome) places.push(outcome.queue);
  return outcome;
}

async function queued(guest: Guest, change: Record<string, unknown> = {}): Promise<QueuePlace> {
  const outcome = await join(guest, change);
  assert.ok("queue" in outcome, "a seat was given");
  return outcome.queue;
}

async function seated(guest: Guest, change: Record<string, unknown> = {}) {
  const outcome = await join(guest, change);
  assert.ok("ticket" in outcome, JSON.stringify(outcome));
  return outcome;
}

async function poll(place: QueuePlace, change: Record<string, unknown> = {}): Promise<QueuePlace> {
  await new Promise((resolve) => setTimeout(resolve, place.pollAfterMs));
  const answer = await post("/v1/queue/poll", { token: place.token, ...change });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return PollAnswer.parse(answer.body).queue;
}

/** Says who may join for the player. */
async function name(member: Guest, party: readonly string[]): Promise<void> {
  const response = await fetch(`${core.url}/v1/me/round-trips`, {
    method: "PUT",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${member.accessToken}`,
    },
    body: JSON.stringify({ ...FAR, party }),
  });
  assert.equal(response.status, 204);
}

/** Polls as often as it is told to. */
async function called(place: QueuePlace): Promise<QueuePlace> {
  let now = place;
  await until("the call", async () => {
    now = await poll(now, { hold: true });
    return now.state === "called";
  });
  return now;
}

test("a region that is hardly further away is taken without a question, another one is offered", async () => {
  await beijing.beat({ connected: 40 });
  assert.equal((await seated(await newGuest(), NEAR)).regionId, "beijing");
  const guest = await newGuest();
  const place = await queued(guest);
  const [offer] = place.offers;
  assert.deepEqual([offer?.regionId, offer?.addedMs, offer?.eta.ms], ["beijing", 80, 5]);
  // The answer to an offer needs no poll's time.
  const accepted = await poll({ ...place, pollAfterMs: 0 }, { accept: "beijing" });
  assert.deepEqual([accepted.state, accepted.regionId], ["called", "beijing"]);
  assert.equal((await seated(guest, { queueToken: accepted.token })).regionId, "beijing");
});

test("half of the seats of two regions are for everyone; nobody new gets one of the others", async () => {
  const guest = await newGuest();
  const place = await queued(guest);
  assert.deepEqual([place.class, place.regionId], ["normal", "shanghai"]);
  await shanghai.beat({ connected: 49 });
  const { token: queueToken } = await called(place);
  assert.equal((await seated(guest, { queueToken })).regionId, "shanghai");
});

test("a player who was dropped, and was not back in time, comes first", async () => {
  await shanghai.beat({ connected: 49 });
  const guest = await newGuest();
  const { reservation } = await seated(guest);
  const playerId = PlayerId.parse(guest.playerId);
  const left = { playerId, sessionId: reservation.sessionId, dropped: true };
  await shanghai.heartbeat({ ...FULL, leftSessions: [left] });
  await shanghai.beat(FULL);
  const waiting = await queued(await newGuest());
  await until("the core has written that the player dropped", async () => {
    return "ticket" in (await join(guest));
  });
  assert.equal((await poll(waiting)).state, "waiting", "the others wait still");
});

test("who was dropped in another region comes first there, and not where they never were", async () => {
  await beijing.beat({ connected: 49 });
  const guest = await newGuest();
  const { reservation } = await seated(guest, { region: "beijing" });
  const playerId = PlayerId.parse(guest.playerId);
  const left = { playerId, sessionId: reservation.sessionId, dropped: true };
  await beijing.heartbeat({ ...FULL, leftSessions: [left] });
  await beijing.beat({ connected: 100 });
  await until("the core has written that the player dropped", async () => {
    const dropped = "select 1 from sessions where player_id = $1 and dropped_at is not null";
    return (await owner.query(dropped, [playerId])).rowCount === 1;
  });
  const home = await queued(guest);
  assert.deepEqual([home.regionId, home.class], ["beijing", "reconnect"]);
  await post("/v1/queue/leave", { token: home.token });
  const elsewhere = await queued(guest, { region: "shanghai" });
  assert.deepEqual([elsewhere.regionId, elsewhere.class], ["shanghai", "normal"]);
});

test("players of a region that is lost get the seats that are kept for them", async () => {
  await beijing.beat({ connected: 49 });
  const guest = await newGuest();
  await seated(guest, { region: "beijing" });
  await beijing.stop();
  await until("the core takes the region for down", async () => {
    const { regions } = await (await fetch(`${core.url}/v1/regions`)).json();
    return regions.some(
      ({ regionId, state }: Record<string, string>) => regionId === "beijing" && state === "down",
    );
  });
  assert.ok("queue" in (await join(await newGuest())), "whoever is new waits");
  assert.equal((await seated(guest)).regionId, "shanghai");
  beijing = await startTestRegion({ core, name: "beijing", incarnation: 2 });
});

test("a client that can't be asked is sent wherever there is a seat", async () => {
  await beijing.beat({ connected: 40 });
  const { accessToken } = await newGuest();
  const answer = await post("/v1/join", { game: "arena", protocol: 1, ...FAR }, accessToken);
  assert.equal(answer.body.regionId, "beijing");
});

test("a region that nobody offered is none that one can wait for", async () => {
  const guest = await newGuest();
  const place = await queued(guest, { region: "shanghai" });
  await new Promise((resolve) => setTimeout(resolve, place.pollAfterMs));
  const answer = await post("/v1/queue/poll", { token: place.token, accept: "beijing" });
  assert.equal(answer.status, 400);
});

test("a party is let in together or not at all", async () => {
  const [ada, ben, cem, dan] = await Promise.all([1, 2, 3, 4].map(newGuest));
  assert.ok(ada && ben && cem && dan);
  const ids = [ada, ben, cem].map(({ playerId }) => playerId);
  for (const member of [ben, cem]) {
    await name(
      member,
      ids.filter((id) => id !== member.playerId),
    );
  }
  const party = await queued(ada, { party: ids.slice(1) });
  assert.equal(party.partySize, 3);
  await shanghai.beat({ connected: 48 });
  assert.equal((await poll(party)).state, "waiting", "two seats are not enough");
  await seated(dan);
  await shanghai.beat({ connected: 47 });
  await called(party);
  const outsider = await newGuest();
  assert.ok("queue" in (await join(outsider)), "their seats are held");
  for (const member of [ada, ben, cem]) {
    const others = ids.filter((id) => id !== member.playerId);
    assert.equal((await seated(member, { party: others })).regionId, "shanghai");
  }
});

test("who plays holds no place, and takes their own seat over", async () => {
  await shanghai.beat({ connected: 49 });
  const guest = await newGuest();
  await seated(guest);
  await shanghai.beat(FULL);
  assert.equal((await seated(guest)).regionId, "shanghai");
  assert.equal((await seated(guest)).regionId, "shanghai");
});

test("who plays in an empty region can't pass the queue of a full one by moving there", async () => {
  await beijing.beat();
  const [eve, honest, next] = await Promise.all([1, 2, 3].map(newGuest));
  assert.ok(eve && honest && next);
  await seated(eve, { region: "beijing" });
  const only = { region: "shanghai" };
  const place = await queued(honest, only);
  await queued(next, only);
  await shanghai.beat({ connected: 49 });
  const { token: queueToken } = await called(place);
  const body = { game: "arena", protocol: 1, mayQueue: true, ...only };
  const passing = await post("/v1/join", body, eve.accessToken);
  assert.deepEqual([passing.status, passing.body.error?.kind], [503, "region_full"]);
  assert.match(passing.body.error.message, /You play elsewhere/);
  assert.equal((await seated(honest, { ...only, queueToken })).regionId, "shanghai");
  // A node that is to be empty gives no seat in place of the first: its players are let in past the queue.
  await beijing.beat({ state: "draining" });
  assert.equal((await seated(eve)).regionId, "shanghai");
});

test("nobody brings friends into a better class, and who plays already needs no seat with them", async () => {
  const [ada, ben, cem] = await Promise.all([1, 2, 3].map(newGuest));
  assert.ok(ada && ben && cem);
  const path = `${core.privateUrl}/ops/players/${ada.playerId}/admission-class`;
  const headers = {
    "content-type": "application/json",
    authorization: `Bearer ${OPERATOR_TOKEN}`,
  };
  const body = JSON.stringify({ class: "staff" });
  assert.equal((await fetch(path, { method: "PUT", headers, body })).status, 200);
  await beijing.beat();
  await seated(cem, { region: "beijing" });
  for (const member of [ben, cem]) await name(member, [ada.playerId]);
  const together = await queued(ada, { party: [ben.playerId, cem.playerId] });
  assert.deepEqual([together.class, together.partySize], ["normal", 2]);
  await post("/v1/queue/leave", { token: together.token });
  assert.equal((await queued(ada)).class, "staff");
  await post("/v1/queue/leave", { token: (await queued(ben)).token });
});

function refuse(region: TestRegion): void {
  region.grant = async () => {
    throw new MeridianError("region_full");
  };
}

test("two regions that refuse after all cost no place either", async () => {
  const [ada, ben] = [await newGuest(), await newGuest()];
  const [first] = [await queued(ada, NEAR), await queued(ben, NEAR)];
  refuse(shanghai);
  refuse(beijing);
  await shanghai.beat({ connected: 49 });
  const { token: queueToken } = await called(first);
  await beijing.beat({ connected: 40 });
  const again = await queued(ada, { ...NEAR, queueToken });
  assert.deepEqual([again.regionId, again.number], [first.regionId, first.number]);
  assert.deepEqual([shanghai.asked.length, beijing.asked.length], [1, 1]);
});

test("a region that refuses costs a client that can only ask again no place", async () => {
  const { accessToken, playerId } = await newGuest();
  const again = async () =>
    (await post("/matchmake/joinOrCreate/arena", {}, accessToken)).body.kind;
  assert.equal(await again(), "queued");
  const ben = await newGuest();
  await queued(ben);
  refuse(shanghai);
  refuse(beijing);
  await shanghai.beat({ connected: 49 });
  await beijing.beat({ connected: 49 });
  assert.equal(await again(), "region_full");
  for (const region of [shanghai, beijing]) await region.beat(FULL);
  const [place, next] = [await queued({ accessToken, playerId }), await queued(ben)];
  assert.deepEqual([place.position, next.position], [1, 2]);
});

test("who asks for a room that has no place gives the seat to those who have a use for it", async () => {
  const guest = await newGuest();
  const place = await queued(guest, { mode: "join" });
  shanghai.grant = async () => {
    throw new MeridianError("room_not_found");
  };
  await shanghai.beat({ connected: 49 });
  const { token: queueToken } = await called(place);
  const body = { game: "arena", protocol: 1, mayQueue: true, mode: "join", ...FAR, queueToken };
  const answer = await post("/v1/join", body, guest.accessToken);
  assert.equal(answer.body.error?.kind, "room_not_found");
  assert.equal((await post("/v1/queue/poll", { token: queueToken })).body.error.kind, "place_lost");
});

test("who has a seat in a room that has ended plays no more, and waits like everybody", async () => {
  await shanghai.beat({ connected: 49 });
  const guest = await newGuest();
  const { reservation } = await seated(guest);
  await owner.query(
    `insert into rooms (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at, ended_at)
     values ($1, 'arena', 'shanghai', $2, 1, 1, 'claim', now(), now())`,
    [reservation.roomId, shanghai.nodeId],
  );
  await shanghai.beat(FULL);
  assert.equal((await queued(guest)).class, "normal");
});
