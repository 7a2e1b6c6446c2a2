/**
 * Clients that want more than their turn: classes that they claim, tokens that were used, tokens of yesterday,
 * more than one place. Over a restart of the core as well, which has no Redis here: there tokens are all that is left.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { PlayerId, RegionId } from "../../shared/ids.ts";
import { JoinOutcome } from "../../shared/protocol/join.ts";
import { QueueClaim, type QueuePlace } from "../../shared/protocol/queue.ts";
import { createTestDatabase } from "../db/test-database.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { type Guest, playersApi } from "./players-api.testkit.ts";
import { QueueTokens } from "./queue-token.ts";

const DAY_MS = 24 * 3_600_000;
const FULL = { connected: 100 };
const master = randomBytes(32);
const database = await createTestDatabase();
const env = {
  DATABASE_URL: database.workingUrl,
  DATABASE_OWNER_URL: database.url,
  MASTER_KEY: master.toString("base64"),
};
let core = await startTestCore(env);
const { authority } = core;
let shanghai = await startTestRegion({ core, name: "shanghai" });
after(async () => {
  await shanghai.stop();
  await core.stop();
  await database.drop();
});

async function restart(): Promise<void> {
  await shanghai.stop();
  await core.stop();
  core = await startTestCore(env, authority);
  shanghai = await startTestRegion({ core, name: "shanghai", incarnation: 2 });
}

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

async function kindOfPoll(token: string): Promise<string> {
  const answer = await post("/v1/queue/poll", { token });
  return answer.body.error?.kind ?? "placed";
}

test("nobody is of the class that they say, and nobody has two places", async () => {
  await shanghai.beat(FULL);
  const eve = await newGuest();
  const first = await queued(eve, { class: "staff", admissionClass: "staff", number: 1 });
  assert.equal(first.class, "normal");
  const again = await Promise.all(
    [1, 2, 3].map(() =>
      post(
        "/v1/join",
        {
          game: "arena",
          protocol: 1,
          mayQueue: true,
          region: "shanghai",
        },
        eve.accessToken,
      ),
    ),
  );
  const numbers = again.flatMap(({ body }) => body.queue?.number ?? []);
  assert.ok(numbers.length >= 1, "one at a time is answered");
  assert.deepEqual([...new Set(numbers)], [first.number]);
  assert.equal(first.waiting, 1);
  await post("/v1/queue/leave", { token: first.token });
});

test("a token whose place was used brings nothing, also at the next core", async () => {
  await shanghai.beat(FULL);
  const [eve, honest] = [await newGuest(), await newGuest()];
  const used = await queued(eve);
  const waiting = await queued(honest);
  await shanghai.beat({ connected: 99 });
  const seat = await join(eve, { queueToken: used.token });
  assert.ok("ticket" in seat);
  assert.equal(await kindOfPoll(used.token), "place_lost");

  await restart();
  await shanghai.beat(FULL);
  assert.equal(await kindOfPoll(waiting.token), "placed", "whoever waited has the place again");
  assert.equal(await kindOfPoll(used.token), "place_lost");
  const after = await queued(honest, { queueToken: waiting.token });
  assert.equal(after.number, waiting.number);

  // Everybody has 30 s to come back: so long nobody is let in, though there are seats.
  await shanghai.beat({ connected: 50 });
  const newcomer = await queued(await newGuest());
  assert.ok(newcomer.number > waiting.number);
  assert.ok((newcomer.eta?.ms ?? Number.POSITIVE_INFINITY) > 5_000);
});

test("a token of yesterday, of another key or of a place that never was brings nothing", async () => {
  await shanghai.beat(FULL);
  const eve = await newGuest();
  const claim = QueueClaim.parse({
    playerId: PlayerId.parse(eve.playerId),
    leader: eve.playerId,
    party: [],
    class: "staff",
    places: [[RegionId.parse("shanghai"), 1]],
    seenMs: Date.now() - DAY_MS,
    graceMs: 120_000,
    life: Date.now() - DAY_MS - 1_000,
  });
  const ours = new QueueTokens(master);
  const others = new QueueTokens(randomBytes(32));
  const fresh = { ...claim, seenMs: Date.now() - 1_000, life: Date.now() - 60_000 };
  assert.equal(await kindOfPoll(ours.mint(claim)), "place_lost", "hoarded since yesterday");
  assert.equal(await kindOfPoll(others.mint(fresh)), "place_lost", "not signed by us");
  assert.equal(await kindOfPoll(ours.mint({ ...fresh, life: Date.now() })), "place_lost");
  const place = await queued(eve, { queueToken: ours.mint(claim) });
  assert.deepEqual([place.class, place.position], ["normal", place.waiting]);
});
