/** Operations over the link of a whole core, as a node makes them. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import pg from "pg";
import type { z } from "zod";
import { isFailure } from "../../shared/errors.ts";
import { ClaimAnswer, ReaffirmRoomsAnswer } from "../../shared/protocol/link.ts";
import { RoomOps, ValueAgainAnswer, ValueAnswer } from "../../shared/protocol/value.ts";
import { callsOf } from "../accounts/test-calls.ts";
import { createMigratedDatabase } from "../db/test-database.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const created = await createMigratedDatabase();
const env = {
  DATABASE_URL: created.workingUrl,
  DATABASE_OWNER_URL: created.url,
  MASTER_KEY: Buffer.alloc(32, 7).toString("base64"),
};
let core = await startTestCore(env);
const beijing = await startTestRegion({ core, name: "beijing" });
const shanghai = await startTestRegion({ core, name: "shanghai" });
await beijing.beat();
await shanghai.beat();
const owner = new pg.Client(created.url);
await owner.connect();
await owner.query("set search_path = meridian");
after(async () => {
  await owner.end();
  await beijing.stop();
  await shanghai.stop();
  await core.stop();
  await created.drop();
});

const { playerId } = await callsOf(core).done("/v1/guests", { name: "Ada" });
const change = { kind: "credit", playerId, currency: "coin", amount: 3 };
const game = "arena";
const opOf = (roomId: string, cause: string) => ({
  id: `${roomId}/${cause}/ada`,
  changes: [change],
});

function call<T>(path: string, body: object, answer: z.ZodType<T>, region = beijing): Promise<T> {
  return region.client.call<T>({
    address: core.linkAddress,
    peer: { role: "core" },
    path,
    body: { nodeId: region.nodeId, ...body },
    answer,
    deadlineMs: 10_000,
  });
}

function claim(roomId: string, known: object = {}) {
  const body = { claimId: randomUUID(), roomId, game, ...known };
  return call("/link/claim", body, ClaimAnswer);
}

test("a claim carries what its room does not know, and the owner may ask for more", async () => {
  const roomId = "link-value-1";
  const { roomEpoch, roomOps } = await claim(roomId);
  assert.deepEqual(roomOps, { ops: [], upTo: 0, more: false });
  const op = opOf(roomId, "one");
  const { coreTerm } = await beijing.heartbeat();
  const request = { roomId, roomEpoch, opSeq: 0, coreTerm, op };
  const answer = await call("/link/value", request, ValueAnswer);
  assert.equal(answer.opSeq, 1);
  const page = await call("/link/room-ops", { roomId, roomEpoch, opSeq: 0 }, RoomOps);
  assert.deepEqual(page, { ops: [{ opSeq: 1, ...op }], upTo: 1, more: false });
  const stranger = call("/link/room-ops", { roomId, roomEpoch, opSeq: 0 }, RoomOps, shanghai);
  await assert.rejects(stranger, (error) => isFailure(error, "fenced"));
  const ahead = call("/link/value", { ...request, coreTerm: 99 }, ValueAnswer);
  await assert.rejects(ahead, (error) => isFailure(error, "unavailable"));
  await owner.query("update rooms set ended_at = now() where room_id = $1", [roomId]);
  assert.deepEqual((await claim(roomId, { opSeq: 0 })).roomOps, page);
  await assert.rejects(call("/link/value", { ...request, op: opOf(roomId, "two") }, ValueAnswer), {
    kind: "fenced",
  });
});

test("what another term committed, and rooms that it granted, are taken in from their node", async () => {
  const { authority, linkAddress } = core;
  await core.stop();
  await owner.query("update core_term set term = 5");
  const CORE_LINK_PORT = linkAddress.slice(linkAddress.lastIndexOf(":") + 1);
  core = await startTestCore({ ...env, CORE_LINK_PORT }, authority);
  await beijing.beat();
  await shanghai.beat();
  const roomId = "link-value-2";
  const op = opOf(roomId, "lost");
  const again = { coreTerm: 5, ops: [{ roomId, opSeq: 4, op }] };
  const rooms = [{ roomId, game, roomEpoch: [1, 3], opSeq: 4 }];
  assert.deepEqual(await call("/link/reaffirm-rooms", { rooms }, ReaffirmRoomsAnswer), {
    held: [roomId],
  });
  assert.deepEqual(await call("/link/value-again", again, ValueAgainAnswer), {
    outcomes: ["committed"],
  });
  assert.deepEqual((await call("/link/value-again", again, ValueAgainAnswer)).outcomes, ["known"]);
  const elsewhere = await call("/link/reaffirm-rooms", { rooms }, ReaffirmRoomsAnswer, shanghai);
  assert.deepEqual(elsewhere.held, []);
  const next = { roomId, roomEpoch: [1, 3], opSeq: 4, coreTerm: 5, op: opOf(roomId, "new") };
  assert.equal((await call("/link/value", next, ValueAnswer)).opSeq, 5);
});
