/** The client in a queue, over real HTTP. */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { isFailure, MeridianError } from "../errors.ts";
import { FakeClock } from "../fake-clock.ts";
import { Api } from "./api.ts";
import type { Connection } from "./connection.ts";
import { Meridian } from "./meridian.ts";
import type { JoinOptions } from "./options.ts";
import type { QueueEvent } from "./queue-step.ts";
import { OFFER, POLL_AFTER_MS, placeOf, ScriptedQueue } from "./scripted-queue.testkit.ts";
import { ScriptedWorld } from "./scripted-world.testkit.ts";
import { Waiting } from "./waiting.ts";

let world = new ScriptedWorld();
let queue = new ScriptedQueue();
let url = await world.start();
let clock = new FakeClock();
after(() => world.stop());

beforeEach(async () => {
  world.stop();
  world = new ScriptedWorld();
  url = await world.start();
  queue = new ScriptedQueue();
  world.queue = queue;
  clock = new FakeClock();
});

async function until(what: string, holds: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > giveUpAtMs) assert.fail(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function storageOf(entries = new Map<string, string>()) {
  return {
    getItem: (key: string) => entries.get(key) ?? null,
    setItem: (key: string, value: string) => void entries.set(key, value),
    removeItem: (key: string) => void entries.delete(key),
  };
}

/** Joins, and keeps what it is told. */
function waiter(options: JoinOptions = {}, storage = storageOf()) {
  const said: Connection[] = [];
  const leaving = new AbortController();
  const arrivals: { acceptOffer(regionId: string): void }[] = [];
  const joined = new Meridian({ url, clock, storage, random: () => 0 }).join("arena", {
    signal: leaving.signal,
    ...options,
    onConnection(connection, arrival) {
      said.push(connection);
      arrivals[0] = arrival;
    },
  });
  const last = () => said.at(-1);
  const phase = (wanted: Connection["phase"]) =>
    until(`${wanted}, still ${last()?.phase}`, () => last()?.phase === wanted);
  return { said, joined, leaving, last, phase, arrivals };
}

/** Lets the next poll happen, and waits for its answer. */
async function pollOnce(): Promise<void> {
  const before = queue.polls.length;
  await until("a timer", () => clock.pending > 0);
  clock.advance(POLL_AFTER_MS);
  await until("a poll", () => queue.polls.length > before);
}

test("waits in the queue, is called, and plays", async () => {
  const ada = waiter();
  await ada.phase("queued");
  assert.deepEqual([queue.joins[0]?.mayQueue, queue.joins[0]?.queueToken], [true, undefined]);
  queue.place = placeOf({ position: 2 });
  await pollOnce();
  assert.deepEqual(queue.polls[0], { token: "place-1", hidden: false, hold: true });
  await until("the second place", () => positionOf(ada.last()) === 2);
  queue.place = placeOf({ state: "called", position: 1 });
  await pollOnce();
  assert.equal(queue.polls[1]?.token, "place-2", "each answer brings a newer token");
  const play = await ada.joined;
  assert.equal(queue.joins[1]?.queueToken, "place-3");
  const phases = ada.said.map(({ phase }) => phase);
  assert.deepEqual(phases.slice(-3), ["admitted", "connecting", "playing"]);
  queue.place = undefined;
  await play.leave();
  await play.rejoin();
  assert.equal(queue.joins[2]?.queueToken, undefined, "the place was used up");
  await play.leave();
  assert.deepEqual(queue.left, []);
});

function positionOf(connection: Connection | undefined): number | null | undefined {
  return connection && "place" in connection ? connection.place.position : undefined;
}

test("a page that is loaded again takes up the place that it had", async () => {
  const entries = new Map<string, string>();
  const former = waiter({}, storageOf(entries));
  await former.phase("queued");
  clock.advance(1_000);
  queue.place = placeOf({ position: 2 });
  const again = waiter({}, storageOf(new Map(entries)));
  await again.phase("queued");
  assert.equal(queue.joins[1]?.queueToken, "place-1");
  const connection = again.last();
  assert.ok(connection?.phase === "queued");
  assert.equal(connection.place.firstPosition, 3);
  assert.equal(connection.place.sinceMs, clock.nowMs() - 1_000);
  for (const { leaving, joined } of [former, again]) {
    leaving.abort();
    await assert.rejects(joined, (error) => isFailure(error, "caller_gone"));
  }
});

test("leaving the queue gives the place up, and fails the join", async () => {
  const ada = waiter();
  await ada.phase("queued");
  ada.leaving.abort();
  await assert.rejects(ada.joined, (error) => isFailure(error, "caller_gone"));
  assert.deepEqual(ada.last(), { phase: "left", reason: "asked" });
  await until("the core knows", () => queue.left.length === 1);
  assert.deepEqual(queue.left, [queue.token]);
  clock.advance(600_000);
  assert.equal(queue.polls.length, 0);
});

test("a place whose answer comes after the leaving is given up, too", async () => {
  let asked = false;
  let answer = () => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const slow: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!`${input}`.endsWith("/v1/join")) return response;
    asked = true;
    await held;
    return response;
  };
  const leaving = new AbortController();
  const { signal } = leaving;
  const meridian = new Meridian({ url, clock, storage: storageOf(), fetch: slow });
  const joined = meridian.join("arena", { signal });
  await until("the join is asked", () => asked);
  leaving.abort();
  await assert.rejects(joined, (error) => isFailure(error, "caller_gone"));
  answer();
  await until("the core knows", () => queue.left.length === 1);
});

test("a core that is away for a while costs no place", async () => {
  const ada = waiter();
  await ada.phase("queued");
  world.script = ({ path }) =>
    path === "/v1/queue/poll" ? new MeridianError("unavailable") : undefined;
  const failed = () => world.count("/v1/queue/poll");
  for (let poll = 1; poll <= 4; poll += 1) {
    await until("a timer", () => clock.pending > 0);
    clock.advance(POLL_AFTER_MS);
    await until("a poll that fails", () => failed() >= poll);
  }
  world.script = () => undefined;
  queue.place = placeOf({ state: "called" });
  await pollOnce();
  await (await ada.joined).leave();
});

test("an offer is accepted while the join still waits", async () => {
  queue.place = placeOf({ offers: [OFFER] });
  const ada = waiter();
  await ada.phase("offered");
  queue.place = placeOf({ alsoWaitsFor: OFFER.regionId });
  ada.arrivals[0]?.acceptOffer("tianjin");
  await until("the poll", () => queue.polls.length === 1);
  assert.equal(queue.polls[0]?.accept, "tianjin");
  await until("it waits for both", () => {
    const connection = ada.last();
    return connection?.phase === "queued" && connection.place.alsoWaitsFor === "tianjin";
  });
  ada.leaving.abort();
  await assert.rejects(ada.joined);
});

test("a game that can't wait says so; a full queue is told at once", async () => {
  queue.place = undefined;
  await (await waiter({ mayQueue: false }).joined).leave();
  assert.equal(queue.joins[0]?.mayQueue, undefined);
  world.script = ({ path }) =>
    path === "/v1/join" ? new MeridianError("queue_full", { retryAfterMs: 1 }) : undefined;
  await assert.rejects(waiter().joined, (error) => isFailure(error, "queue_full"));
  assert.equal(world.count("/v1/join"), 2);
});

function streaming() {
  const api = new Api(url, (input, init) => fetch(input, init));
  const storage = storageOf();
  const waiting = new Waiting({ api, clock, storage, game: "arena", playerId: () => "ada" });
  waiting.keep(placeOf());
  const heard: QueueEvent[] = [];
  waiting.carryOut({ type: "stream" }, (event) => heard.push(event));
  return { waiting, heard };
}

test("a stream tells of each change, and each brings a newer token", async () => {
  const { waiting, heard } = streaming();
  await until("the first", () => heard.length === 1);
  queue.push();
  queue.push();
  await until("all", () => heard.length === 3);
  assert.deepEqual(
    heard.map((event) => event.type),
    ["place", "place", "place"],
  );
  assert.equal(waiting.token, queue.token);
  waiting.carryOut({ type: "hush" }, () => {});
  await until("it is closed", () => queue.streams.size === 0);
  assert.equal(heard.length, 3, "nothing more is told");
});

test("a stream that is refused, ends, or goes quiet is told once", async () => {
  const ends = streaming();
  await until("the first", () => ends.heard.length === 1);
  for (const stream of queue.streams) stream.end();
  await until("its end", () => ends.heard.length === 2);

  const quiet = streaming();
  await until("the first", () => quiet.heard.length === 1);
  clock.advance(20_000);
  await until("its end", () => quiet.heard.length === 2);
  await until("it is closed", () => queue.streams.size === 0);

  queue.streaming = false;
  const refused = streaming();
  await until("the refusal", () => refused.heard.length === 1);
  for (const { heard } of [ends, quiet, refused]) assert.equal(heard.at(-1)?.type, "unanswered");
});
