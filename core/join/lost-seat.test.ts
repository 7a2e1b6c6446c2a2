/** A ticket is a seat: who holds one gets another when its region or room is lost before arrival. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { decodeJwt } from "jose";
import { MeridianError } from "../../shared/errors.ts";
import { NodeId } from "../../shared/ids.ts";
import { JoinAnswer } from "../../shared/protocol/join.ts";
import { TicketClaims } from "../../shared/protocol/ticket.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const core = await startTestCore({ JOINS_PER_PLAYER_BURST: "1" });
const beijing = await startTestRegion({ core, name: "beijing" });
const shanghai = await startTestRegion({ core, name: "shanghai" });
after(async () => {
  await beijing.stop();
  await shanghai.stop();
  await core.stop();
});

async function post(path: string, body: unknown, token?: string) {
  const authorization = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(core.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...authorization },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** Somebody new, with a seat in Shanghai. */
async function seated(change: Record<string, unknown>): Promise<JoinAnswer & { token: string }> {
  await Promise.all([beijing.heartbeat(), shanghai.heartbeat()]);
  const token: string = (await post("/v1/guests", { name: "Ada" })).body.accessToken;
  const join = { game: "arena", protocol: 1, region: "shanghai", ...change };
  return { ...JoinAnswer.parse((await post("/v1/join", join, token)).body), token };
}

function claimsOf(answer: JoinAnswer): TicketClaims {
  return TicketClaims.parse(decodeJwt(answer.ticket));
}

test("a ticket whose room ended before its player came is another seat", async () => {
  const first = await seated({ mode: "create" });
  shanghai.grant = async (request) => {
    if (request.kind === "renew") throw new MeridianError("room_not_found");
    return shanghai.granted(request);
  };
  const renewal = { ticket: first.ticket, mode: "create" };
  const second = JoinAnswer.parse((await post("/v1/join/renew", renewal)).body);
  assert.notEqual(second.reservation.sessionId, first.reservation.sessionId);
  const asked = shanghai.asked.at(-1);
  assert.equal(asked?.kind === "seat" && asked.mode, "create");
});

test("tickets of rooms that are lost again and again make no flood of seats", async () => {
  const first = await seated({ mode: "create" });
  shanghai.grant = async (request) => {
    if (request.kind === "renew") throw new MeridianError("room_not_found");
    return shanghai.granted(request);
  };
  const { ticket } = JoinAnswer.parse(
    (await post("/v1/join/renew", { ticket: first.ticket, mode: "create" })).body,
  );
  const more = await post("/v1/join/renew", { ticket, mode: "create" });
  assert.equal(more.body.error?.kind, "too_many_requests");
  assert.ok(more.body.error.retryAfterMs > 0);
});

test("a ticket whose region is lost before its player came is a seat elsewhere", async () => {
  const options = { team: "red" };
  const first = await seated({ options });
  const next = { nodeId: NodeId.parse("shanghai-2"), state: "draining" } as const;
  await shanghai.heartbeat(next);
  const join = await post("/v1/join", { game: "arena", protocol: 1 }, first.token);
  assert.equal(join.status, 429, "joins of the moment are used up");
  const unknown = await post("/v1/join", { game: "none", protocol: 1 }, first.token);
  assert.equal(unknown.status, 429, "which is looked at before anything else");

  const renewal = { ticket: first.ticket, options };
  const second = JoinAnswer.parse((await post("/v1/join/renew", renewal)).body);
  assert.equal(second.regionId, "beijing");
  const asked = beijing.asked.at(-1);
  assert.ok(asked?.kind === "seat");
  assert.deepEqual([asked.game, asked.options], ["arena", options]);
  const [before, now] = [claimsOf(first), claimsOf(second)];
  assert.equal(now.sub, before.sub);
  assert.ok(now.sessionEpoch[1] > before.sessionEpoch[1]);
  const again = await post("/v1/join/renew", renewal);
  assert.equal(again.body.error.kind, "session_taken_over", "one seat for one ticket");
});
