import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { isFailure, MeridianError } from "../errors.ts";
import { FakeClock } from "../fake-clock.ts";
import { RoundTripsReport } from "../protocol/join.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { Connection, Moved } from "./connection.ts";
import { RETURN_BACKOFF } from "./connection-moves.ts";
import { KEPT_MAX } from "./kept-messages.ts";
import { Meridian } from "./meridian.ts";
import type { Play } from "./play.ts";
import { ScriptedWorld, SECRET, TOKEN } from "./scripted-world.testkit.ts";
import { RECONNECT_AFTER_MS, SUSPECT_AFTER_MS } from "./silence.ts";

let world = new ScriptedWorld();
let url = await world.start();
after(() => world.stop());

beforeEach(async () => {
  world.stop();
  world = new ScriptedWorld();
  url = await world.start();
});

/** Waits for something that the network brings about. */
async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + 5_000;
  while (!(await holds())) {
    if (performance.now() > giveUpAtMs) assert.fail(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function phaseOf(play: Play<unknown>, phase: Connection["phase"]): Promise<void> {
  return until(`${phase}, still ${play.connection.phase}`, () => play.connection.phase === phase);
}

/** Each `dice` is 0: every wait is as short as it may be. */
function client(options: Partial<ConstructorParameters<typeof Meridian>[0]> = {}): Meridian {
  return new Meridian({ url, random: () => 0, ...options });
}

const failure = (kind: ConstructorParameters<typeof MeridianError>[0]) => (error: unknown) =>
  isFailure(error, kind);

test("logs in by itself, brings measured round trips along, and plays", async () => {
  const phases: string[] = [];
  const play = await client().join("arena", { onConnection: ({ phase }) => phases.push(phase) });
  assert.deepEqual(phases, ["joining", "connecting", "playing"]);
  const join = world.asked.find(({ path }) => path === "/v1/join");
  assert.deepEqual(Object.keys(join?.body.roundTripsMs ?? {}), ["beijing"]);
  assert.deepEqual(join?.body.unanswered, ["nowhere"]);
  assert.equal(join?.authorization, "Bearer access-1");
  await play.leave();
  assert.equal(play.connection.phase, "left");
  await until("the connection is closed", () => world.connected.size === 0);
});

test("listeners stay over a reconnect, and what was kept is sent then", async () => {
  const play = await client().join("arena");
  const heard: string[] = [];
  play.onMessage("hello", () => heard.push("hello"));
  world.say("hello");
  await until("the first message", () => heard.length === 1);

  let refusals = 0;
  world.script = ({ path }) =>
    path === "/v1/reconnect" && refusals++ < 1 ? new MeridianError("unavailable") : undefined;
  world.cut();
  await phaseOf(play, "reconnecting");
  assert.equal(play.send("move"), false, "dropped");
  assert.equal(play.send("important", undefined, { keep: true }), true);
  await phaseOf(play, "playing");
  const reconnect = world.asked.find(({ path }) => path === "/v1/reconnect");
  assert.equal(reconnect?.body.reconnectionToken, TOKEN);
  const [connected] = world.connected;
  assert.match(connected?.url ?? "", new RegExp(`reconnectionToken=${TOKEN}`));
  await until("the kept message", () => world.received.length === 1);
  assert.deepEqual(world.received, ["important"]);
  world.say("hello");
  await until("a message after the return", () => heard.length === 2);
  await play.leave();
});

test("how far the player's documents are saved is told, and begins anew in another room", async () => {
  const play = await client().join("arena");
  const heard: unknown[] = [];
  play.onSaved((saved) => heard.push(saved));
  assert.deepEqual(play.saved, { savedRevision: 0, revision: 0 });
  world.say("meridian:saved", { savedRevision: "all of it" });
  world.say("meridian:saved", { savedRevision: 7, revision: 9 });
  await until("the message", () => heard.length > 0);
  assert.deepEqual(
    heard,
    [{ savedRevision: 7, revision: 9 }],
    "what has a wrong form is passed over",
  );
  assert.deepEqual(play.saved, { savedRevision: 7, revision: 9 });
  world.script = ({ path }) =>
    path === "/v1/reconnect" ? new MeridianError("room_not_found") : undefined;
  world.cut();
  await phaseOf(play, "lost");
  await play.rejoin();
  assert.deepEqual(play.saved, { savedRevision: 0, revision: 0 });
  await play.leave();
});

test("no more messages are kept than the limit", async () => {
  const play = await client().join("arena");
  world.script = ({ path }) => (path === "/v1/reconnect" ? "silence" : undefined);
  world.cut();
  await phaseOf(play, "reconnecting");
  const kept = Array.from({ length: KEPT_MAX + 1 }, () => play.send("m", 1, { keep: true }));
  assert.equal(kept.filter(Boolean).length, KEPT_MAX);
  await play.leave();
});

test("a half-open connection is doubted, then replaced", async () => {
  const clock = new FakeClock();
  const play = await client({ clock }).join("arena");
  const tick = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 250) clock.advance(250);
  };
  tick(SUSPECT_AFTER_MS + 250);
  assert.equal(play.connection.phase, "suspect");
  world.say("keep-alive");
  await phaseOf(play, "playing");
  const [old] = world.connected;
  tick(RECONNECT_AFTER_MS + 250);
  assert.equal(play.connection.phase, "reconnecting");
  clock.advance(1);
  await phaseOf(play, "playing");
  await until("the old one is gone", () => old !== undefined && !world.connected.has(old));
  await play.leave();
});

test("a room that went to another region is followed, and the move is told", async () => {
  const play = await client().join("arena");
  const phases: string[] = [];
  const moves: Moved[] = [];
  play.onConnection(({ phase }) => phases.push(phase));
  play.onMoved((moved) => moves.push(moved));
  const { roomId, sessionId } = play;
  world.regionId = "tianjin";
  world.cut();
  await until("the move", () => moves.length === 1);
  assert.ok((moves[0]?.tookMs ?? -1) >= 0);
  assert.deepEqual(
    { ...moves[0], tookMs: 0 },
    { from: "beijing", to: "tianjin", tookMs: 0, sameRoom: true },
  );
  assert.deepEqual(phases.slice(-2), ["moving", "playing"]);
  assert.deepEqual([play.roomId, play.sessionId], [roomId, sessionId]);
  assert.equal(play.seat?.regionId, "tianjin");
  await play.leave();
});

test("a region that can't be reached is told to the core, and left out of the next join", async () => {
  const clock = new FakeClock();
  const play = await client({ clock }).join("arena", { region: "beijing" });
  const moves: Moved[] = [];
  play.onMoved((moved) => moves.push(moved));
  const [changes, read]: [string[], unknown[]] = [[], []];
  play.onConnection(({ phase }) => {
    changes.push(phase);
    // The next room has no state yet while it is entered.
    read.push(play.state);
  });
  world.opens = false;
  // In the very answer: a client that has it may open the seat at once.
  world.script = ({ path, body }) => {
    if (path === "/v1/join" && body.avoid) {
      world.opens = true;
      world.regionId = "tianjin";
    }
    return undefined;
  };
  world.cut();
  await phaseOf(play, "reconnecting");
  const joins = () => world.asked.filter(({ path }) => path === "/v1/join");
  await until("another join", async () => {
    clock.advance(100);
    await setImmediate();
    return joins().length === 2;
  });
  const told = world.asked.flatMap(({ path, body }) =>
    path === "/v1/reconnect" ? [body.unreachable] : [],
  );
  assert.deepEqual([told[0], new Set(told.slice(1))], [undefined, new Set(["beijing-1"])]);
  const { avoid, region } = joins()[1]?.body ?? {};
  assert.deepEqual([avoid, region], [["beijing"], undefined]);
  await until("it plays elsewhere", async () => {
    clock.advance(100);
    await setImmediate();
    return play.connection.phase === "playing" && play.seat?.regionId === "tianjin";
  });
  assert.equal(moves[0]?.sameRoom, false);
  assert.ok(changes.includes("connecting"));
  assert.equal(read.length, changes.length, "there was a state at every change");
  await play.leave();
});

test("a connection that can't be opened is tried again at once, not after the deadline", async () => {
  const clock = new FakeClock();
  const play = await client({ clock }).join("arena");
  world.opens = false;
  world.cut();
  await phaseOf(play, "reconnecting");
  clock.advance(1);
  // The clock stands still: only the failure itself can have led to the second attempt.
  const attempt = () => ("attempt" in play.connection ? play.connection.attempt : 0);
  await until("the second attempt", () => attempt() === 2);
  world.opens = true;
  clock.advance(RETURN_BACKOFF.mostMs);
  await phaseOf(play, "playing");
  await play.leave();
});

test("a room that is gone is lost, and rejoined when the app says so", async () => {
  const play = await client().join("arena");
  const heard: string[] = [];
  play.onMessage("hello", () => heard.push("hello"));
  world.script = ({ path }) =>
    path === "/v1/reconnect" ? new MeridianError("room_not_found") : undefined;
  world.cut();
  await phaseOf(play, "lost");
  await play.rejoin();
  assert.equal(play.connection.phase, "playing");
  world.say("hello");
  await until("a message from the new room", () => heard.length === 1);
  await play.leave();
});

test("leaving a room that does not answer takes a second, for all who wait for it", async () => {
  const clock = new FakeClock();
  const play = await client({ clock }).join("arena");
  world.ignoresLeaving = true;
  let left = 0;
  const leave = () => play.leave().then(() => (left += 1));
  const first = leave();
  clock.advance(999);
  await setImmediate();
  assert.equal(left, 0, "the room may still answer");
  clock.advance(1);
  await first;
  await leave();
  assert.equal(left, 2);
  await until("the connection is closed", () => world.connected.size === 0);
});

test("leaving twice at once resolves both", async () => {
  const play = await client().join("arena");
  world.ignoresLeaving = true;
  await Promise.all([play.leave(), play.leave()]);
  assert.equal(play.connection.phase, "left");
});

test("a takeover is final and says why", async () => {
  const play = await client().join("arena");
  world.end("session_taken_over");
  await phaseOf(play, "left");
  assert.deepEqual(play.connection, { phase: "left", reason: "session_taken_over" });
  assert.equal(world.count("/v1/reconnect"), 0);
});

test("a join that is refused fails with its kind; one that may succeed later is retried", async () => {
  world.script = ({ path }) =>
    path === "/v1/join" ? new MeridianError("update_required") : undefined;
  await assert.rejects(client().join("arena"), failure("update_required"));
  let refusals = 0;
  world.script = ({ path }) =>
    path === "/v1/join" && refusals++ < 2 ? new MeridianError("region_full") : undefined;
  const play = await client().join("arena");
  assert.equal(refusals, 3);
  await play.leave();
});

test("many callers share one renewal of the access token, before it expires", async () => {
  const clock = new FakeClock();
  const meridian = client({ clock });
  await meridian.logIn();
  clock.advance(world.accessExpiresInMs - 1);
  await Promise.all(Array.from({ length: 5 }, () => meridian.rename("Ada")));
  assert.equal(world.count("/v1/tokens/refresh"), 1);
  assert.ok(
    world.asked.every(
      ({ path, authorization }) => path !== "/v1/me" || authorization?.endsWith("2"),
    ),
  );
});

test("an access token that the core calls expired is renewed once, then the call made again", async () => {
  const meridian = client();
  await meridian.logIn();
  world.script = ({ authorization }) =>
    authorization === "Bearer access-1" ? new MeridianError("token_expired") : undefined;
  await Promise.all([meridian.rename("Ada"), meridian.rename("Ada")]);
  assert.equal(world.count("/v1/tokens/refresh"), 1);

  world.script = ({ path }) => (path === "/v1/me" ? new MeridianError("token_expired") : undefined);
  await assert.rejects(meridian.rename("Ada"), failure("token_expired"));
  assert.equal(world.count("/v1/tokens/refresh"), 2, "no second renewal for the same call");
});

test("a refresh token that is refused costs a log-in with the guest's secret", async () => {
  const clock = new FakeClock();
  const meridian = client({ clock });
  await meridian.logIn();
  clock.advance(world.accessExpiresInMs);
  world.script = ({ path }) =>
    path === "/v1/tokens/refresh" ? new MeridianError("token_reused") : undefined;
  await meridian.rename("Ada");
  const logIns = world.asked.filter(({ path }) => path === "/v1/guests");
  assert.deepEqual(
    logIns.map(({ body }) => body.secret),
    [undefined, SECRET],
  );
});

test("a guest is the same one again from the same storage; a core that lost it makes a new one", async () => {
  const entries = new Map<string, string>();
  const storage = {
    getItem: (key: string) => entries.get(key) ?? null,
    setItem: (key: string, value: string) => void entries.set(key, value),
    removeItem: (key: string) => void entries.delete(key),
  };
  await client({ storage }).logIn({ name: "Ada" });
  await client({ storage }).logIn();
  const [first, second] = world.asked;
  assert.equal(first?.body.secret, undefined);
  assert.equal(second?.body.secret, SECRET);
  assert.equal(first?.body.device, second?.body.device);

  world.script = ({ body }) => (body.secret ? new MeridianError("unauthorized") : undefined);
  await client({ storage }).logIn();
  assert.equal(world.asked.at(-1)?.body.secret, undefined);
});

test("the seat is renewed while the game still loads", async () => {
  const clock = new FakeClock();
  let loaded: () => void = () => {};
  const loading = new Promise<void>((resolve) => {
    loaded = resolve;
  });
  const joining = client({ clock }).join("arena", { prepare: () => loading });
  await until("the seat", () => world.count("/v1/join") === 1 && clock.pending > 0);
  clock.advance(12_000);
  await until("two renewals", () => world.count("/v1/join/renew") === 2);
  const renewals = world.asked.filter(({ path }) => path === "/v1/join/renew");
  for (const { body } of renewals) {
    assert.deepEqual(body.roundTripsMs, { beijing: 0 });
    // Both are asked for within this one step of the clock.
    assert.ok(Number(body.roundTripsAgeMs) >= 5_000, "as old as they are now");
  }
  assert.equal(world.connected.size, 0, "not connected before the game is there");
  loaded();
  await (await joining).leave();
});

test("a ticket that was not reached is shown for another seat, before anything else", async () => {
  let seats = 0;
  // Nobody is there any more: the region was lost.
  world.reservedAt = () => (seats++ === 0 ? "127.0.0.1:1" : undefined);
  const options = { team: "red" };
  const play = await client().join("arena", { options, mode: "create" });
  assert.equal(world.count("/v1/join"), 1);
  const renewal = world.asked.find(({ path }) => path === "/v1/join/renew");
  assert.equal(renewal?.body.ticket, "ticket");
  assert.deepEqual([renewal?.body.options, renewal?.body.mode], [options, "create"]);
  assert.equal(renewal?.authorization, undefined);
  await play.leave();
  await play.rejoin();
  assert.equal(world.count("/v1/join/renew"), 1, "a ticket that brought its player in is spent");
  assert.equal(world.count("/v1/join"), 2);
  await play.leave();
});

test("a ticket that is no seat any more costs one call: the client joins anew", async () => {
  let seats = 0;
  world.reservedAt = () => (seats++ === 0 ? "127.0.0.1:1" : undefined);
  world.script = ({ path }) =>
    path === "/v1/join/renew" ? new MeridianError("ticket_expired") : undefined;
  const play = await client().join("arena");
  assert.deepEqual([world.count("/v1/join/renew"), world.count("/v1/join")], [1, 2]);
  await play.leave();
});

test("measures the regions that answer, and keeps the result for a while", async () => {
  const meridian = client();
  const roundTripsMs = await meridian.measureRegions();
  assert.deepEqual(Object.keys(roundTripsMs), ["beijing"]);
  await meridian.measureRegions();
  assert.equal(world.count("/v1/regions"), 1);
  await meridian.measureRegions({ maxAgeMs: 0 });
  assert.equal(world.count("/v1/regions"), 2);
});

test("a route is asked for without a log-in, with what was measured or without", async () => {
  const meridian = client();
  const { regionId, place } = await meridian.route({ game: "arena", region: "beijing" });
  assert.deepEqual([regionId, place.label], [null, "Hangzhou"]);
  await meridian.route({ measured: false });
  const [first, second] = world.asked.filter(({ path }) => path.startsWith("/v1/route"));
  const query = new URLSearchParams({
    explain: "1",
    protocol: `${PROTOCOL_VERSION}`,
    game: "arena",
    region: "beijing",
  });
  assert.equal(first?.path, `/v1/route?${query}`);
  assert.deepEqual(Object.keys(RoundTripsReport.parse(first?.body).roundTripsMs ?? {}), [
    "beijing",
  ]);
  assert.deepEqual(second?.body, {});
  assert.equal(world.count("/v1/guests"), 0);
});

test("regions whose websockets are blocked on the way are measured all the same", async () => {
  world.echoes = false;
  assert.deepEqual(Object.keys(await client().measureRegions()), ["beijing"]);
});

test("a page that is loaded again knows its round trips, and joins while they are measured anew", async () => {
  const clock = new FakeClock();
  const entries = new Map<string, string>();
  const storage = {
    getItem: (key: string) => entries.get(key) ?? null,
    setItem: (key: string, value: string) => void entries.set(key, value),
    removeItem: (key: string) => void entries.delete(key),
  };
  await client({ clock, storage }).measureRegions();
  clock.advance(90_000);
  world.script = ({ path }) => (path === "/v1/regions" ? "silence" : undefined);
  const play = await client({ clock, storage }).join("arena");
  const join = world.asked.find(({ path }) => path === "/v1/join");
  assert.deepEqual(join?.body.roundTripsMs, { beijing: 0 });
  assert.equal(join?.body.roundTripsAgeMs, 90_000);
  await until("they are measured anew", () => world.count("/v1/regions") === 2);
  await play.leave();
});

test("friends and party are passed on", async () => {
  const friends = ["01890a5d-ac96-774b-bcce-b302099a8058"];
  const party = ["01890a5d-ac96-774b-bcce-b302099a8059"];
  const play = await client().join("arena", { friends, party });
  const join = world.asked.find(({ path }) => path === "/v1/join");
  assert.deepEqual([join?.body.friends, join?.body.party], [friends, party]);
  await play.leave();
});

test("a player's round trips are told for a party's leader, by whoever is logged in", async () => {
  const meridian = client({ clock: new FakeClock() });
  const party = ["01890a5d-ac96-774b-bcce-b302099a8059"];
  await assert.rejects(meridian.reportRoundTrips(party), failure("unauthorized"));
  await meridian.logIn();
  await meridian.reportRoundTrips(party);
  const [report] = world.asked.filter(({ path }) => path === "/v1/me/round-trips");
  assert.equal(report?.method, "PUT");
  assert.equal(report?.authorization, "Bearer access-1");
  assert.deepEqual(report?.body, {
    roundTripsMs: { beijing: 0 },
    unanswered: ["nowhere"],
    roundTripsAgeMs: 0,
    party,
  });
});

test("a core that can't be reached, or answers nonsense, is unavailable", async () => {
  const nobody = client({ url: "http://127.0.0.1:1" });
  await assert.rejects(nobody.regions(), failure("unavailable"));
  const nonsense = client({ fetch: async () => new Response("<html>", { status: 200 }) });
  await assert.rejects(nonsense.regions(), failure("unavailable"));
  const headers = { "retry-after": "3" };
  const busy = client({ fetch: async () => new Response("busy", { status: 429, headers }) });
  await assert.rejects(
    busy.regions(),
    (error) => isFailure(error, "too_many_requests") && error.retryAfterMs === 3_000,
  );
});

test("four log-ins at once make one guest", async () => {
  const meridian = client();
  await Promise.all([1, 2, 3, 4].map(() => meridian.logIn()));
  assert.equal(world.count("/v1/guests"), 1);
});

test("a storage that throws costs the memory of it, not the log-in", async () => {
  const refuse = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  const meridian = client({ storage });
  await meridian.logIn();
  await meridian.logIn();
  const [, again] = world.asked.filter(({ path }) => path === "/v1/guests");
  assert.equal(again?.body.secret, SECRET);
});

test("a listener that throws is reported, and holds up neither the join nor the others", async (t) => {
  const reported: unknown[] = [];
  Object.assign(globalThis, { reportError: (error: unknown) => reported.push(error) });
  t.after(() => Reflect.deleteProperty(globalThis, "reportError"));
  const phases: string[] = [];
  const play = await client().join("arena", {
    onConnection: () => {
      throw new Error("the game's own mistake");
    },
  });
  play.onConnection(({ phase }) => phases.push(phase));
  await play.leave();
  assert.deepEqual(phases, ["left"]);
  assert.equal(reported.length, 4, "joining, connecting, playing, left");
});

test("an access token of former keys is renewed, not the end", async () => {
  const meridian = client();
  await meridian.logIn();
  world.script = ({ path, authorization }) =>
    path === "/v1/join" && authorization === "Bearer access-1"
      ? new MeridianError("unauthorized")
      : undefined;
  const play = await meridian.join("arena");
  assert.equal(play.connection.phase, "playing");
  await play.leave();
});

test("what a game can't prepare is told once, and takes no second seat", async () => {
  let prepared = 0;
  const prepare = async () => {
    prepared += 1;
    throw new Error("no textures");
  };
  await assert.rejects(client().join("arena", { prepare }), failure("not_prepared"));
  assert.equal(prepared, 1);
  assert.equal(world.count("/v1/join"), 1);
});

test("a rejoin right after leaving keeps its room, however slowly the former one let go", async () => {
  const clock = new FakeClock();
  const play = await client({ clock }).join("arena");
  world.ignoresLeaving = true;
  const leaving = play.leave();
  await setImmediate();
  world.ignoresLeaving = false;
  await play.rejoin();
  await leaving;
  clock.advance(1_000);
  assert.equal(play.connection.phase, "playing");
  assert.equal(play.send("move"), true);
  await until("the move arrives", () => world.received.includes("move"));
  await play.leave();
});
