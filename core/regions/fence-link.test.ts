/** What a fence means to nodes over the link, to players who are there, and to joins. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, afterEach, beforeEach, test } from "node:test";
import { Epoch } from "../../shared/epoch.ts";
import { JoinAnswer, RegionsAnswer } from "../../shared/protocol/join.ts";
import { ClaimAnswer } from "../../shared/protocol/link.ts";
import { ValueAnswer } from "../../shared/protocol/value.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion, type TestRegion } from "../test-region.ts";

const core = await startTestCore({ MASTER_KEY: randomBytes(32).toString("base64") });
const [shanghai, beijing] = [
  await startTestRegion({ core, name: "shanghai" }),
  await startTestRegion({ core, name: "beijing" }),
];
after(async () => {
  await Promise.all([shanghai.stop(), beijing.stop()]);
  await core.stop();
});
beforeEach(async () => {
  for (const region of [shanghai, beijing]) {
    await region.heartbeat();
    for (const list of [region.asked, region.fenced, region.evicted]) list.length = 0;
  }
});
afterEach(() => operate("DELETE", "shanghai"));

async function post(path: string, body: unknown, token?: string) {
  const response = await fetch(core.url + path, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

async function joined(): Promise<JoinAnswer> {
  const { accessToken } = (await post("/v1/guests", {})).body;
  const answer = await post("/v1/join", { game: "arena", protocol: 1 }, accessToken);
  return JoinAnswer.parse(answer.body);
}

/** @param method `POST` fences, `DELETE` ends that */
async function operate(method: "POST" | "DELETE", region: string) {
  const response = await fetch(`${core.privateUrl}/ops/regions/${region}/fence`, {
    method,
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}` },
  });
  return { status: response.status, body: await response.json() };
}

function claim(region: TestRegion, roomId: string, regionEpoch: Epoch): Promise<ClaimAnswer> {
  const { nodeId } = region;
  const claimId = randomBytes(8).toString("hex");
  return region.client.call({
    address: core.linkAddress,
    peer: { role: "core" },
    path: "/link/claim",
    body: { claimId, roomId, game: "arena", nodeId, regionEpoch },
    answer: ClaimAnswer,
    deadlineMs: 5_000,
  });
}

function credit(region: TestRegion, roomId: string, roomEpoch: Epoch): Promise<ValueAnswer> {
  const playerId = "01900000-0000-7000-8000-000000000001";
  const changes = [{ kind: "debit", playerId, currency: "coin", amount: 1 }];
  const op = { id: `${roomId}/${randomBytes(4).toString("hex")}`, changes };
  return region.client.call({
    address: core.linkAddress,
    peer: { role: "core" },
    path: "/link/value",
    body: { nodeId: region.nodeId, roomId, roomEpoch, op },
    answer: ValueAnswer,
    deadlineMs: 5_000,
  });
}

test("a fenced region's nodes are told at once, and by every answer until the fence ends", async () => {
  const { regionEpoch: before } = await shanghai.heartbeat();
  const { status, body } = await operate("POST", "shanghai");
  assert.equal(status, 200);
  const regionEpoch = Epoch.parse(body.regionEpoch);
  assert.deepEqual(regionEpoch, [before[0], before[1] + 1]);
  assert.deepEqual(body.nodes, [{ nodeId: shanghai.nodeId, told: true }]);
  assert.deepEqual(shanghai.fenced, [{ regionEpoch }]);
  for (const named of [before, regionEpoch] as const) {
    const answer = await shanghai.heartbeat({ regionEpoch: named });
    assert.deepEqual([answer.wanted, answer.regionEpoch], ["fenced", regionEpoch]);
  }
  const again = await operate("POST", "shanghai");
  assert.deepEqual([again.body.changed, again.body.regionEpoch], [false, regionEpoch]);

  await operate("DELETE", "shanghai");
  const missed = await shanghai.heartbeat({ regionEpoch: before });
  assert.equal(missed.wanted, "fenced", "to a node that was cut off meanwhile");
  assert.equal((await shanghai.heartbeat({ regionEpoch })).wanted, "active");
  assert.equal((await beijing.heartbeat()).wanted, "active");
});

test("joins leave a fenced region out at once, and take it in after", async () => {
  assert.equal((await joined()).regionId, "shanghai");
  await operate("POST", "shanghai");
  assert.equal((await joined()).regionId, "beijing");
  const response = await fetch(`${core.url}/v1/regions`);
  const { regions, ranking } = RegionsAnswer.parse(await response.json());
  const shown = regions.find(({ regionId }) => regionId === "shanghai");
  assert.deepEqual([shown?.state, shown?.publicAddress], ["down", null], "as players see it");
  const reasons = ranking.find(({ regionId }) => regionId === "shanghai")?.reasons[0];
  assert.match(reasons ?? "", /^fenced/);
  await operate("DELETE", "shanghai");
  await shanghai.heartbeat();
  assert.equal((await joined()).regionId, "shanghai");
});

test("a player of a fenced room is told that it is gone; a ticket for it buys another seat", async () => {
  const playing = await joined();
  const { roomId } = playing.reservation;
  const payload = playing.ticket.split(".")[1] ?? "";
  const { reconnectionToken } = JSON.parse(Buffer.from(payload, "base64url").toString());
  await operate("POST", "shanghai");
  shanghai.asked.length = 0;
  const back = await post("/v1/reconnect", { roomId, reconnectionToken, protocol: 1 });
  assert.deepEqual([back.status, back.body.error.kind], [404, "room_not_found"]);
  const renewed = JoinAnswer.parse((await post("/v1/join/renew", { ticket: playing.ticket })).body);
  assert.equal(renewed.regionId, "beijing");
  assert.deepEqual(shanghai.asked, [], "a fenced node is asked for nothing");
});

test("a room of a fenced node does nothing with money any more, and none is claimed anew", async () => {
  const { regionEpoch: before } = await shanghai.heartbeat();
  const { roomEpoch } = await claim(shanghai, "room-fenced", before);
  assert.equal((await credit(shanghai, "room-fenced", roomEpoch)).outcome, "refused");
  const { body } = await operate("POST", "shanghai");
  assert.equal(body.rooms, 1);
  await assert.rejects(credit(shanghai, "room-fenced", roomEpoch), { kind: "fenced" });
  await assert.rejects(claim(shanghai, "room-new", body.regionEpoch), { kind: "fenced" });
  await operate("DELETE", "shanghai");
  await assert.rejects(credit(shanghai, "room-fenced", roomEpoch), { kind: "fenced" });
  await assert.rejects(claim(shanghai, "room-new", before), { kind: "fenced" });
  await claim(shanghai, "room-new", body.regionEpoch);
});
