/** Colyseus' matchmaking as a stock client sees it, through the unmodified `@colyseus/sdk`. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, MatchMakeError } from "@colyseus/sdk";
import { decodeJwt } from "jose";
import { type ErrorKind, errorKinds, MeridianError } from "../../shared/errors.ts";
import { SeatReservation } from "../../shared/protocol/join.ts";
import { TicketClaims } from "../../shared/protocol/ticket.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { colyseusCode } from "./colyseus-errors.ts";

const core = await startTestCore({
  GUESTS_PER_PREFIX_BURST: "8",
  GUESTS_PER_PREFIX_PER_SECOND: "0.1",
});
const region = await startTestRegion({ core, name: "beijing" });
before(() => region.beat());
after(async () => {
  await region.stop();
  await core.stop();
});

/** What the SDK's own HTTP client gets; it throws as it does for games. */
async function matchmake(
  client: Client,
  path: string,
  body: object = {},
): Promise<SeatReservation> {
  const { data } = await client.http.post(`/matchmake/${path}`, { body });
  return SeatReservation.strict().parse(data);
}

function claimsOf(reservation: SeatReservation): TicketClaims {
  const ticket = /\/t\/([^/]+)$/.exec(reservation.publicAddress)?.[1];
  return TicketClaims.parse(decodeJwt(ticket ?? ""));
}

function failsWith(code: number, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof MatchMakeError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

test("the answer is exactly a seat reservation, for a guest made on the fly", async () => {
  const client = new Client(core.url);
  const reservation = await matchmake(client, "joinOrCreate/arena", { team: "red" });
  assert.equal(reservation.name, "arena");
  assert.equal(reservation.processId, region.nodeId);
  assert.equal(claimsOf(reservation).aud, region.nodeId);
  const [asked] = region.asked;
  assert.ok(asked?.kind === "seat");
  assert.deepEqual([asked.mode, asked.options], ["joinOrCreate", { team: "red" }]);
  assert.match(asked.player.name, /^Guest \d+$/);
});

test("a client that set its token plays as that player", async () => {
  const response = await fetch(`${core.url}/v1/guests`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "Ada" }),
  });
  const guest = await response.json();
  const client = new Client(core.url);
  client.auth.token = guest.accessToken;
  const claims = claimsOf(await matchmake(client, "create/arena"));
  assert.deepEqual([claims.sub, claims.name], [guest.playerId, "Ada"]);
  client.auth.token = "expired-or-forged";
  await assert.rejects(client.create("arena"), failsWith(525, /access token is not valid/));
});

test("join, joinById and reconnect have Colyseus' meaning", async () => {
  const client = new Client(core.url);
  const joined = await matchmake(client, "join/arena");
  const byId = await matchmake(client, `joinById/${joined.roomId}`);
  assert.equal(byId.roomId, joined.roomId);
  const { reconnectionToken } = claimsOf(joined);
  const back = await matchmake(client, `reconnect/${joined.roomId}`, { reconnectionToken });
  assert.deepEqual([back.roomId, back.sessionId], [joined.roomId, joined.sessionId]);
});

test("failures reach the game as Colyseus' own codes, with our message", async () => {
  const client = new Client(core.url);
  await assert.rejects(client.joinOrCreate("chess"), failsWith(520, /No region runs a game/));
  await assert.rejects(client.joinById("gone"), failsWith(522, /room is gone/));
  const token = `gone:${"A".repeat(60)}`;
  await assert.rejects(client.reconnect(token), failsWith(525, /reconnection token is not valid/));
  await assert.rejects(client.reconnect("gone:short"), failsWith(526, /reconnectionToken/));
  await assert.rejects(client.join("arena", { big: "x".repeat(5_000) }), failsWith(526, /4 KiB/));
  const huge = { big: "x".repeat(70_000) };
  await assert.rejects(client.join("arena", huge), failsWith(526, /larger than the limit/));
  region.grant = async () => {
    throw new MeridianError("room_not_found");
  };
  await assert.rejects(client.join("arena"), failsWith(521, /room is gone/));
  region.grant = async (request) => region.granted(request);
});

test("an unknown method and a malformed body are Colyseus errors too", async () => {
  const send = async (path: string, body: string) => {
    const response = await fetch(`${core.url}/matchmake/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    return { status: response.status, body: await response.json() };
  };
  const unknown = await send("steal/arena", "{}");
  assert.deepEqual([unknown.status, unknown.body.code, unknown.body.kind], [520, 520, "not_found"]);
  for (const body of ["{", "[]", '"text"', "7"]) {
    assert.equal((await send("join/arena", body)).status, 526, body);
  }
});

test("guests made on the fly are limited like any, and told when to come back", async () => {
  const client = new Client(core.url);
  const burst = async () => {
    for (let n = 0; n < 9; n += 1) await matchmake(client, "join/arena");
  };
  await assert.rejects(burst(), (error: unknown) => {
    assert.ok(error instanceof Error && "code" in error && "headers" in error);
    assert.ok(error.headers instanceof Headers);
    assert.equal(error.code, 526);
    // Less than the whole period when the burst itself took a while.
    assert.match(error.headers.get("retry-after") ?? "", /^([1-9]|10)$/);
    return true;
  });
});

test("every kind of failure has a code of Colyseus", () => {
  const kinds: ErrorKind[] = errorKinds();
  for (const kind of kinds) {
    const code = colyseusCode(new MeridianError(kind), "join");
    assert.ok(code >= 520 && code <= 526, kind);
  }
});
