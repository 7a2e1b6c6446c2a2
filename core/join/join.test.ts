/** Joining, end to end on the core's side: real HTTP, real TLS links, a real database. */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { decodeJwt, decodeProtectedHeader } from "jose";
import type { z } from "zod";
import { MeridianError } from "../../shared/errors.ts";
import { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import { JoinAnswer } from "../../shared/protocol/join.ts";
import { ClaimAnswer, ReleaseRoomsAnswer, type ReserveAnswer } from "../../shared/protocol/link.ts";
import { TicketClaims } from "../../shared/protocol/ticket.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion, type TestRegion } from "../test-region.ts";

const RESERVE_DEADLINE_MS = 300;
const RESERVES_PER_NODE_MAX = 3;
const core = await startTestCore({
  RESERVE_DEADLINE_MS: String(RESERVE_DEADLINE_MS),
  RESERVES_PER_NODE_MAX: String(RESERVES_PER_NODE_MAX),
  JOINS_UNDER_WAY_MAX: "4",
});
const beijing = await startTestRegion({ core, name: "beijing" });
const shanghai = await startTestRegion({ core, name: "shanghai" });
after(async () => {
  await beijing.stop();
  await shanghai.stop();
  await core.stop();
});

beforeEach(async () => {
  for (const region of [beijing, shanghai]) {
    region.asked.length = 0;
    region.released.length = 0;
    region.evicted.length = 0;
    region.grant = async (request) => region.granted(request);
    await region.heartbeat();
  }
});

async function post(path: string, body: unknown, token?: string) {
  const response = await fetch(core.url + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

async function newGuest(): Promise<{ accessToken: string; playerId: string }> {
  return (await post("/v1/guests", { name: "Ada" })).body;
}

/** Made beforehand, so that joins come close together however busy the machine is. */
function guestTokens(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, async () => (await newGuest()).accessToken));
}

async function join(change: Record<string, unknown> = {}, token?: string) {
  const given = token ?? (await newGuest()).accessToken;
  return await post("/v1/join", { game: "arena", protocol: 1, ...change }, given);
}

async function joined(change: Record<string, unknown> = {}, token?: string): Promise<JoinAnswer> {
  const { status, body } = await join(change, token);
  assert.equal(status, 200, JSON.stringify(body));
  return JoinAnswer.parse(body);
}

function claimsOf(answer: JoinAnswer): TicketClaims {
  return TicketClaims.parse(decodeJwt(answer.ticket));
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (!(await done())) {
    assert.ok(performance.now() < endMs, "the condition did not come true within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function refuse(region: TestRegion, kind: ConstructorParameters<typeof MeridianError>[0]): void {
  region.grant = async () => {
    throw new MeridianError(kind);
  };
}

test("a join gives a seat in the nearest region, and a ticket that is that seat", async () => {
  const guest = await newGuest();
  const answer = await joined({ options: { team: "red" } }, guest.accessToken);
  const claims = claimsOf(answer);
  assert.equal(answer.regionId, "shanghai", "Hangzhou is near Shanghai");
  assert.equal(decodeProtectedHeader(answer.ticket).typ, "meridian-ticket+jwt");
  assert.deepEqual(
    [claims.sub, claims.aud, claims.roomId, claims.sessionId, claims.name],
    [guest.playerId, shanghai.nodeId, "room-shanghai", answer.reservation.sessionId, "Ada"],
  );
  assert.equal(claims.exp - claims.iat, 30);
  assert.match(answer.reservation.publicAddress, /^shanghai\.test:\d+\/t\/eyJ/);
  assert.ok(answer.reservation.publicAddress.endsWith(answer.ticket));
  assert.equal(answer.reservation.processId, shanghai.nodeId);
  const [asked] = shanghai.asked;
  assert.ok(asked?.kind === "seat");
  assert.deepEqual(asked.options, { team: "red" });
  assert.deepEqual(asked.player.sessionEpoch, claims.sessionEpoch);
  assert.ok(asked.holdMs > 30_000, "the seat outlives its ticket");
  assert.deepEqual(
    answer.ranking.map(({ regionId }) => regionId),
    ["shanghai", "beijing"],
  );
});

test("measured round trips and a wanted region decide", async () => {
  const measured = await joined({ roundTripsMs: { beijing: 2, shanghai: 90 } });
  assert.equal(measured.regionId, "beijing");
  assert.equal((await joined({ region: "beijing" })).regionId, "beijing");
  assert.equal((await join({ region: "lhasa" })).body.error.kind, "unknown_region");
});

test("each join raises the player's session epoch", async () => {
  const { accessToken } = await newGuest();
  const first = claimsOf(await joined({}, accessToken));
  const second = claimsOf(await joined({}, accessToken));
  assert.deepEqual(
    [first.sessionEpoch, second.sessionEpoch],
    [
      [1, 1],
      [1, 2],
    ],
  );
});

for (const kind of ["region_full", "unavailable", "internal", "unknown_game"] as const) {
  test(`a region that answers ${kind} costs one more call, not the join`, async () => {
    refuse(shanghai, kind);
    assert.equal((await joined()).regionId, "beijing");
    assert.equal(shanghai.asked.length, 1);
  });
}

test("a region that hangs is left for the next, and its late seat is given back", async () => {
  let answerLate: (() => void) | undefined;
  shanghai.grant = (request) =>
    new Promise<ReserveAnswer>((resolve) => {
      answerLate = () => resolve(shanghai.granted(request));
    });
  const startMs = performance.now();
  assert.equal((await joined()).regionId, "beijing");
  assert.ok(performance.now() - startMs >= RESERVE_DEADLINE_MS);
  assert.equal(shanghai.released.length, 0);
  answerLate?.();
  await until(() => shanghai.released.length > 0);
  assert.match(shanghai.released[0]?.sessionId ?? "", /^seat-shanghai-/);
});

test("a region that hangs on and on holds up few joins, and hears little of them later", async () => {
  const holding: (() => void)[] = [];
  shanghai.grant = (request) =>
    new Promise<ReserveAnswer>((resolve) => {
      holding.push(() => resolve(shanghai.granted(request)));
    });
  let players = 0;
  for (; players < 20; players += 1) {
    await Promise.all([shanghai.heartbeat(), beijing.heartbeat()]);
    assert.equal((await joined()).regionId, "beijing");
  }
  // A join is held up where the region is asked, and for as long as the deadline only.
  assert.ok(shanghai.asked.length < players / 2, `asked ${shanghai.asked.length} times`);
  const asked = shanghai.asked.length;
  for (const answer of holding) answer();
  await until(() => shanghai.released.length === asked);
  assert.equal(shanghai.asked.length, asked, "nothing had piled up");
  shanghai.grant = async (request) => shanghai.granted(request);
  await until(async () => {
    await Promise.all([shanghai.heartbeat(), beijing.heartbeat()]);
    return (await joined()).regionId === "shanghai";
  });
});

test("past the bound of seats asked of one node, the next region is asked at once", async () => {
  const holding: (() => void)[] = [];
  shanghai.grant = (request) =>
    new Promise<ReserveAnswer>((resolve) => {
      holding.push(() => resolve(shanghai.granted(request)));
    });
  const [last, ...tokens] = await guestTokens(RESERVES_PER_NODE_MAX + 1);
  await Promise.all([shanghai.heartbeat(), beijing.heartbeat()]);
  const waiting = tokens.map((token) => joined({}, token));
  await until(() => holding.length === RESERVES_PER_NODE_MAX);
  assert.equal((await joined({}, last)).regionId, "beijing");
  assert.equal(shanghai.asked.length, RESERVES_PER_NODE_MAX);
  for (const answer of holding) answer();
  await Promise.all(waiting);
});

test("a refusal that no other region can mend is passed on", async () => {
  refuse(shanghai, "forbidden");
  assert.equal((await join()).body.error.kind, "forbidden");
  assert.equal(beijing.asked.length, 0);
});

test("when every region is full, the player is told when to come back", async () => {
  refuse(shanghai, "region_full");
  refuse(beijing, "region_full");
  const refused = await join();
  assert.deepEqual([refused.status, refused.body.error.kind], [503, "region_full"]);
  await shanghai.heartbeat({ connected: 100 });
  await beijing.heartbeat({ connected: 90, reserved: 10 });
  shanghai.asked.length = 0;
  const full = await join();
  assert.deepEqual([full.status, full.body.error.kind], [503, "queued"]);
  assert.match(full.body.error.message, /number \d+ in the queue for shanghai/);
  assert.ok(Number(full.headers.get("retry-after")) >= 1);
  assert.equal(shanghai.asked.length, 0, "nobody is asked in vain");
});

test("a draining region, or one whose Redis is down, gets no new players", async () => {
  await shanghai.heartbeat({ state: "draining" });
  assert.equal((await joined()).regionId, "beijing");
  await shanghai.heartbeat({ redis: "down" });
  assert.equal((await joined()).regionId, "beijing");
  await beijing.heartbeat({ state: "draining" });
  assert.equal((await join()).body.error.kind, "no_region");
});

test("an unknown game and an old client are told so", async () => {
  const { kind, message } = (await join({ game: "chess" })).body.error;
  assert.equal(kind, "unknown_game");
  assert.match(message, /^No region runs a game "chess" \(they run: arena\): correct the name, or/);
  await shanghai.heartbeat({ games: [GameName.parse("chess")] });
  assert.equal((await joined({ game: "chess" })).regionId, "shanghai");
  const old = await join({ protocol: 99 });
  assert.deepEqual([old.status, old.body.error.kind], [426, "update_required"]);
});

test("bad input and missing log-ins get typed errors", async () => {
  assert.equal((await post("/v1/join", { game: "arena", protocol: 1 })).status, 401);
  assert.equal((await join({}, "nonsense")).body.error.kind, "unauthorized");
  assert.equal((await join({ game: "" })).body.error.kind, "bad_request");
  assert.equal((await join({ mode: "joinById" })).body.error.kind, "bad_request");
  assert.equal((await join({ options: { big: "x".repeat(5_000) } })).status, 400);
  assert.equal((await join({ options: { big: "x".repeat(70_000) } })).status, 413);
});

test("joinById goes where the room is, whatever is nearer", async () => {
  const first = await joined({ region: "beijing" });
  const { roomId } = first.reservation;
  const second = await joined({ mode: "joinById", roomId, game: "other" });
  assert.equal(second.regionId, "beijing");
  assert.equal(second.reservation.roomId, roomId);
  assert.equal(beijing.asked.at(-1)?.kind === "seat" && beijing.asked.length, 2);
  const gone = await join({ mode: "joinById", roomId: "no-such-room" });
  assert.deepEqual([gone.status, gone.body.error.kind], [404, "room_not_found"]);
});

test("a ticket is renewed for the same seat", async () => {
  const first = await joined();
  const renewed = JoinAnswer.parse((await post("/v1/join/renew", { ticket: first.ticket })).body);
  const [before, after] = [claimsOf(first), claimsOf(renewed)];
  assert.notEqual(after.jti, before.jti);
  assert.deepEqual({ ...after, jti: "", iat: 0, exp: 0 }, { ...before, jti: "", iat: 0, exp: 0 });
  assert.equal(shanghai.asked.at(-1)?.kind, "renew");
  const forged = `${first.ticket.slice(0, -4)}AAAA`;
  const refused = await post("/v1/join/renew", { ticket: forged });
  assert.equal(refused.body.error.kind, "ticket_invalid");
});

test("a dropped player comes back to the same session with the reconnection token", async () => {
  const first = await joined();
  const { reconnectionToken, roomId, sessionId, sessionEpoch } = claimsOf(first);
  const body = { roomId, reconnectionToken, protocol: 1 };
  const back = JoinAnswer.parse((await post("/v1/reconnect", body)).body);
  assert.equal(back.reservation.sessionId, sessionId);
  assert.deepEqual(claimsOf(back).sessionEpoch, sessionEpoch, "the same node, the same epoch");
  assert.equal(claimsOf(back).reconnectionToken, reconnectionToken);
  const other = await post("/v1/reconnect", { ...body, roomId: "another" });
  assert.equal(other.body.error.kind, "unauthorized");
  const forged = await post("/v1/reconnect", { ...body, reconnectionToken: "A".repeat(100) });
  assert.equal(forged.body.error.kind, "unauthorized");
  refuse(shanghai, "reconnect_expired");
  assert.equal((await post("/v1/reconnect", body)).body.error.kind, "reconnect_expired");
});

test("a player's word that a node can't be reached counts for the node of their room only", async () => {
  const { reconnectionToken, roomId } = claimsOf(await joined());
  const reports = async () => {
    const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
    return Number(/^meridian_unreachable_reports_total (\d+)$/m.exec(metrics)?.[1]);
  };
  const before = await reports();
  const say = (unreachable: string) =>
    post("/v1/reconnect", { roomId, reconnectionToken, protocol: 1, unreachable });
  assert.equal((await say(beijing.nodeId)).status, 200);
  assert.equal((await say("nowhere-1")).status, 200);
  assert.equal(await reports(), before);
  assert.equal((await say(shanghai.nodeId)).status, 200);
  assert.equal(await reports(), before + 1);
});

test("a newer session of the player ends the older one's claims; a failed join does not", async () => {
  const { accessToken } = await newGuest();
  const first = await joined({}, accessToken);
  const { reconnectionToken, roomId } = claimsOf(first);
  const reconnect = () => post("/v1/reconnect", { roomId, reconnectionToken, protocol: 1 });
  refuse(shanghai, "region_full");
  refuse(beijing, "region_full");
  assert.equal((await join({}, accessToken)).status, 503);
  shanghai.grant = async (request) => shanghai.granted(request);
  assert.equal((await reconnect()).status, 200, "the failed join took nothing away");
  beijing.grant = async (request) => beijing.granted(request);
  await joined({}, accessToken);
  assert.equal((await reconnect()).body.error.kind, "session_taken_over");
  const renewed = await post("/v1/join/renew", { ticket: first.ticket });
  assert.equal(renewed.body.error.kind, "session_taken_over");
});

test("a new join ends the session of the one before, wherever that is", async () => {
  const { accessToken } = await newGuest();
  const first = await joined({ region: "beijing" }, accessToken);
  const second = await joined({}, accessToken);
  await until(() => beijing.evicted.length === 1);
  const { roomId, sessionId } = first.reservation;
  assert.deepEqual(beijing.evicted, [{ roomId, sessionId, kind: "session_taken_over" }]);
  await joined({}, accessToken);
  await until(() => shanghai.evicted.length === 1);
  assert.equal(shanghai.evicted[0]?.sessionId, second.reservation.sessionId);
});

test("a player joins once at a time, and no faster than the limit", async () => {
  const { accessToken } = await newGuest();
  let answer = (): void => {};
  shanghai.grant = (request) =>
    new Promise((resolve) => {
      answer = () => resolve(shanghai.granted(request));
    });
  const first = join({}, accessToken);
  await until(() => shanghai.asked.length === 1);
  const second = await join({}, accessToken);
  assert.deepEqual([second.status, second.body.error.kind], [429, "too_many_requests"]);
  assert.equal(second.body.error.retryable, true);
  answer();
  assert.equal((await first).status, 200);
  shanghai.grant = async (request) => shanghai.granted(request);
  const results = [];
  for (let n = 0; n < 20; n += 1) results.push((await join({}, accessToken)).status);
  assert.equal(results.at(-1), 429);
  assert.equal((await join()).status, 200, "others are not held up");
});

test("joins under way are bounded; past that players are told to come back", async () => {
  const waiting: (() => void)[] = [];
  for (const region of [beijing, shanghai]) {
    region.grant = (request) =>
      new Promise((resolve) => {
        waiting.push(() => resolve(region.granted(request)));
      });
  }
  const { accessToken } = await newGuest();
  const asked = ["beijing", "beijing", "shanghai", "shanghai"];
  const four = asked.map(async (region) => join({ region }, (await newGuest()).accessToken));
  await until(() => waiting.length === 4);
  const fifth = await join({}, accessToken);
  assert.deepEqual([fifth.status, fifth.body.error.kind], [503, "unavailable"]);
  assert.equal(fifth.headers.get("retry-after"), "1");
  for (const release of waiting) release();
  for (const { status } of await Promise.all(four)) assert.equal(status, 200);
});

test("who comes back to a room that moves waits for it, and is led to its new owner", async () => {
  const call = <T>(region: TestRegion, path: string, body: object, answer: z.ZodType<T>) => {
    const peer = { role: "core" } as const;
    return region.client.call({
      ...{ address: core.linkAddress, peer, path, body, answer, deadlineMs: 5_000 },
    });
  };
  const claim = (region: TestRegion, roomId: string) => {
    const { nodeId } = region;
    const body = { claimId: `claim-${nodeId}`, roomId, game: "arena", nodeId };
    return call(region, "/link/claim", body, ClaimAnswer);
  };
  const moving = RoomId.parse("room-moving");
  shanghai.grant = async (request) => ({ ...shanghai.granted(request), roomId: moving });
  const { reconnectionToken, roomId } = claimsOf(await joined());
  await claim(shanghai, roomId);
  const release = { nodeId: shanghai.nodeId, roomIds: [roomId] };
  await call(shanghai, "/link/release-rooms", release, ReleaseRoomsAnswer);

  let answered = false;
  const reconnect = { roomId, reconnectionToken, protocol: 1 };
  const waiting = post("/v1/reconnect", reconnect).finally(() => {
    answered = true;
  });
  await joined({ region: "beijing" });
  assert.equal(answered, false, "others are answered meanwhile");
  await claim(beijing, roomId);
  const back = JoinAnswer.parse((await waiting).body);
  assert.equal(claimsOf(back).aud, beijing.nodeId);
});

test("when the node is gone, its room is, and the player is told so", async () => {
  const { reconnectionToken, roomId } = claimsOf(await joined());
  await shanghai.heartbeat({ nodeId: NodeId.parse("shanghai-2") });
  const gone = await post("/v1/reconnect", { roomId, reconnectionToken, protocol: 1 });
  assert.equal(gone.body.error.kind, "room_not_found");
});
