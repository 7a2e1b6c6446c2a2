/** Waiting for a seat, end to end on the core's side: real HTTP, a real database, real links. */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { MeridianError } from "../../shared/errors.ts";
import { JoinAnswer, JoinOutcome } from "../../shared/protocol/join.ts";
import { PollAnswer, QueuePlace } from "../../shared/protocol/queue.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { type Guest, playersApi } from "./players-api.testkit.ts";

const core = await startTestCore();
const shanghai = await startTestRegion({ core, name: "shanghai" });
after(async () => {
  await shanghai.stop();
  await core.stop();
});

beforeEach(async () => {
  shanghai.grant = async (request) => shanghai.granted(request);
});

const FULL = { connected: 100 };

const { post, newGuest } = playersApi(() => core.url);

async function join(guest: Guest, change: Record<string, unknown> = {}): Promise<JoinOutcome> {
  const body = { game: "arena", protocol: 1, mayQueue: true, ...change };
  const answer = await post("/v1/join", body, guest.accessToken);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return JoinOutcome.parse(answer.body);
}

async function queued(guest: Guest, change: Record<string, unknown> = {}): Promise<QueuePlace> {
  const outcome = await join(guest, change);
  assert.ok("queue" in outcome, "a seat was given");
  return outcome.queue;
}

/** As soon as the place says that it may be. */
async function poll(place: QueuePlace, change: Record<string, unknown> = {}): Promise<QueuePlace> {
  await due(place);
  const { token } = place;
  const answer = await post("/v1/queue/poll", { token, ...change });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return PollAnswer.parse(answer.body).queue;
}

function events({ token }: QueuePlace): Promise<Response> {
  return fetch(`${core.url}/v1/queue/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
}

async function due({ pollAfterMs }: QueuePlace): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, pollAfterMs));
}

async function leave(...places: readonly QueuePlace[]): Promise<void> {
  for (const { token } of places) {
    assert.equal((await post("/v1/queue/leave", { token })).status, 204);
  }
}

async function guests(count: number): Promise<Guest[]> {
  return Promise.all(Array.from({ length: count }, newGuest));
}

test("who finds no seat waits in order, and the first gets the seat that is free", async () => {
  await shanghai.beat(FULL);
  const [ada, ben, cem] = await guests(3);
  assert.ok(ada && ben && cem);
  const places: QueuePlace[] = [];
  for (const guest of [ada, ben, cem]) places.push(await queued(guest));
  const [first, second, third] = places;
  assert.ok(first && second && third);
  assert.deepEqual(
    places.map(({ position, state, regionId }) => [position, state, regionId]),
    [1, 2, 3].map((position) => [position, "waiting", "shanghai"]),
  );
  const asked = shanghai.asked.length;
  const held = poll(first, { hold: true });
  await shanghai.beat({ connected: 99 });
  const called = await held;
  assert.equal(called.state, "called");
  assert.equal(shanghai.asked.length, asked, "the region is asked when the player comes");
  const seat = JoinAnswer.parse(await join(ada, { queueToken: called.token }));
  assert.equal(seat.regionId, "shanghai");
  await shanghai.beat(FULL);
  const next = await queued(ben, { queueToken: second.token });
  assert.equal(next.position, 1);
  await leave(second, third);
});

test("a region that refuses after all costs no place", async () => {
  await shanghai.beat(FULL);
  const [ada, ben] = await guests(2);
  assert.ok(ada && ben);
  const [first, second] = [await queued(ada), await queued(ben)];
  shanghai.grant = async () => {
    throw new MeridianError("region_full");
  };
  const held = poll(first, { hold: true });
  await shanghai.beat({ connected: 99 });
  const called = await held;
  assert.equal(called.state, "called");
  const again = await queued(ada, { queueToken: called.token });
  assert.deepEqual([again.number, again.position], [first.number, 1]);
  await leave(again, second);
});

test("a client that asks too often is told when, and keeps the place", async () => {
  await shanghai.beat(FULL);
  const [ada] = await guests(1);
  assert.ok(ada);
  const place = await queued(ada);
  const refused = await post("/v1/queue/poll", { token: place.token });
  assert.equal(refused.status, 429);
  assert.ok(refused.body.error.retryAfterMs > 0);
  assert.equal((await queued(ada)).number, place.number);
  await leave(place);
});

test("a place is its player's alone, and a token that is not ours is none", async () => {
  await shanghai.beat(FULL);
  const [ada, eve] = await guests(2);
  assert.ok(ada && eve);
  const place = await queued(ada);
  const evil = await queued(eve, { queueToken: place.token });
  assert.ok(evil.number > place.number, "the token of another brings nothing");
  const [payload = "", mac = ""] = place.token.split(".");
  const claim = JSON.parse(Buffer.from(payload, "base64url").toString());
  const forged = Buffer.from(JSON.stringify({ ...claim, class: "staff" })).toString("base64url");
  for (const token of [`${forged}.${mac}`, payload, "", "x.y", `${payload}.`]) {
    const answer = await post("/v1/queue/poll", { token });
    assert.deepEqual([answer.status, answer.body.error.kind], [410, "place_lost"], token);
  }
  await leave(place, evil);
  assert.equal(
    (await post("/v1/queue/poll", { token: place.token })).body.error.kind,
    "place_lost",
  );
});

test("a client that can't wait is told its place, and keeps it by asking again", async () => {
  await shanghai.beat(FULL);
  const [ada] = await guests(1);
  assert.ok(ada);
  const body = { game: "arena", protocol: 1 };
  const refused = await post("/v1/join", body, ada.accessToken);
  assert.deepEqual([refused.status, refused.body.error.kind], [503, "queued"]);
  assert.match(refused.body.error.message, /you are number 1 in the queue for shanghai/);
  const stock = await post("/matchmake/joinOrCreate/arena", {}, ada.accessToken);
  assert.deepEqual([stock.status, stock.body.kind], [526, "queued"]);
  assert.ok(stock.body.retryAfterMs > 0);
  await shanghai.beat({ connected: 99 });
  assert.equal((await post("/matchmake/joinOrCreate/arena", {}, ada.accessToken)).status, 200);
  const stranger = await post("/matchmake/joinOrCreate/arena", {});
  assert.notEqual(stranger.status, 526, "there was one seat more than the core knew of");
});

test("who plays takes the own seat over instead of waiting", async () => {
  await shanghai.beat({ connected: 98 });
  const [ada, ben] = await guests(2);
  assert.ok(ada && ben);
  assert.ok("ticket" in (await join(ada)));
  await shanghai.beat({ connected: 99 });
  const place = await queued(ben, { region: "shanghai", party: [] }).catch(() => undefined);
  if (place) await leave(place);
  assert.ok("ticket" in (await join(ada)));
});

test("a player has one stream: another one ends the first", async () => {
  await shanghai.beat(FULL);
  const [ada] = await guests(1);
  assert.ok(ada);
  const place = await queued(ada);
  await due(place);
  const first = (await events(place)).text();
  // Two of them are half a second apart at least.
  await due(place);
  const second = (await events(place)).text();
  assert.match(await first, /^event: place/);
  await leave(place);
  assert.match(await second, /event: lost/);
});

test("a stream tells of the call", async () => {
  await shanghai.beat(FULL);
  const [ada] = await guests(1);
  assert.ok(ada);
  const place = await queued(ada);
  await due(place);
  const response = await events(place);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  const states: string[] = [];
  assert.ok(response.body);
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    for (const line of chunk.split("\n")) {
      if (!line.startsWith("data: ")) continue;
      states.push(QueuePlace.parse(JSON.parse(line.slice(6))).state);
      if (states.length === 1) await shanghai.beat({ connected: 99 });
    }
  }
  assert.deepEqual([...new Set(states)], ["waiting", "called"]);
  await leave(place);
});

test("a core that stops lets the waiting go before it waits for their connections", () => {
  const at = (name: string) => core.parts.indexOf(name);
  // Parts stop in the reverse order.
  assert.ok(at("connections of the queue") > at("public server"));
  assert.ok(at("public server") > at("admission"));
});
