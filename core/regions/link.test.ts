/** The private link's core end, over real TLS with certificates of a real CA. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { connect } from "node:tls";
import pg from "pg";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { isFailure } from "../../shared/errors.ts";
import { NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { LinkCredentials } from "../../shared/link/credentials.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import type { Peer } from "../../shared/link/peer.ts";
import { ClaimAnswer, HeartbeatAnswer, ReleaseRoomsAnswer } from "../../shared/protocol/link.ts";
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const beijing = { role: "region", regionId: RegionId.parse("beijing") } as const;
const core = await startTestCore();
const region = await startTestRegion({ core, name: "beijing" });
after(async () => {
  await region.stop();
  await core.stop();
});

type Credentials = { readonly ca: string; readonly cert?: string; readonly key?: string };

/** Posts to the link's heartbeat as whoever these credentials say. */
async function heartbeatAs(credentials: LinkCredentials, body: unknown): Promise<unknown> {
  const client = new LinkClient(new LinkIdentity(credentials));
  try {
    return await client.call({
      address: core.linkAddress,
      peer: { role: "core" },
      path: "/link/heartbeat",
      body,
      answer: HeartbeatAnswer,
      deadlineMs: 5_000,
    });
  } finally {
    await client.stop();
  }
}

/** Everything that the link's server says to a plain request on such a connection. */
function rawAnswer(credentials: Credentials): Promise<string> {
  const [host = "", port] = core.linkAddress.split(":");
  const socket = connect({ host, port: Number(port), ...credentials });
  return new Promise((resolve) => {
    let received = "";
    socket.on("data", (bytes) => {
      received += String(bytes);
    });
    // TLS 1.3 lets the client finish first; the server's alert comes with the first read.
    socket.on("secureConnect", () => {
      socket.write("GET / HTTP/1.1\r\nhost: core\r\nconnection: close\r\n\r\n");
    });
    socket.on("error", () => {
      // The refusal that is expected; `close` follows.
    });
    socket.on("close", () => resolve(received));
  });
}

async function credentialsOf(peer: Peer) {
  return { ca: core.authority.caPem, ...(await core.authority.issue(peer)) };
}

async function query(sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: core.databaseUrl });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end();
  }
}

async function until(check: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 5_000;
  while (!(await check())) {
    assert.ok(Date.now() < endMs, "the condition did not come true within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function claim(roomId: string, claimId: string, nodeId = region.nodeId) {
  return { claimId, roomId, game: "arena", nodeId };
}

function ask(body: unknown) {
  return region.client.call({
    address: core.linkAddress,
    peer: { role: "core" },
    path: "/link/claim",
    body,
    answer: ClaimAnswer,
    deadlineMs: 5_000,
  });
}

test("a heartbeat gives lease, epoch and keys; keys only when they differ", async () => {
  const first = await region.heartbeat();
  assert.deepEqual(first.regionEpoch, [1, 1]);
  assert.equal(first.leaseMs, 2_000);
  assert.equal(first.wanted, "active");
  assert.ok(Math.abs(first.coreTimeMs - Date.now()) < 5_000);
  const keyIds = first.jwks?.keys.map((key) => key.kid);
  assert.ok(keyIds && keyIds.length > 0);
  const second = await region.heartbeat({ keyIds });
  assert.equal(second.jwks, undefined);
  assert.deepEqual(second.regionEpoch, [1, 1], "the epoch of a region that stays is kept");
  assert.deepEqual(await query("select epoch_term, epoch_n from meridian.regions"), [
    { epoch_term: "1", epoch_n: "1" },
  ]);
});

test("a node that measures is told its peers when it has others, and what it measured is shown", async () => {
  await region.heartbeat();
  const { peers } = await region.heartbeat({ peersVersion: "" });
  const { linkAddress } = region.firstHeartbeat();
  assert.deepEqual(peers?.regions, [{ regionId: "beijing", linkAddress }]);
  const probes = { [RegionId.parse("shanghai")]: 26.5 };
  const again = await region.heartbeat({ peersVersion: peers?.version, probes });
  assert.equal(again.peers, undefined);
  const headers = { authorization: `Bearer ${OPERATOR_TOKEN}` };
  const status = await (await fetch(`${core.privateUrl}/ops/status`, { headers })).json();
  const neighbours = StatusAnswer.parse(status).regions.map((one) => one.neighbours);
  assert.deepEqual(neighbours, [
    [{ regionId: "shanghai", roundTripMs: 26.5, measured: true }],
    [{ regionId: "beijing", roundTripMs: 26.5, measured: true }],
  ]);
  assert.equal((await region.heartbeat()).peers, undefined, "a node of before is told nothing");
});

test("without a certificate there is no connection", async () => {
  const { ca } = await credentialsOf(beijing);
  assert.equal(await rawAnswer({ ca }), "", "not one byte of an answer");
  assert.match(await rawAnswer(await credentialsOf(beijing)), /^HTTP\/1\.1 404 /);
});

test("a certificate of another CA, even with the right name, gets nothing", async () => {
  const stranger = await createAuthority();
  const credentials = { ca: core.authority.caPem, ...(await stranger.issue(beijing)) };
  assert.equal(await rawAnswer(credentials), "");
  await assert.rejects(heartbeatAs(credentials, {}), (error) => isFailure(error, "unavailable"));
});

test("a region can't speak for another, nor the core for a region", async () => {
  const forbidden = (error: unknown) => isFailure(error, "forbidden");
  const shanghai = await startTestRegion({ core, name: "shanghai" });
  await assert.rejects(shanghai.heartbeat({ regionId: beijing.regionId }), forbidden);
  await shanghai.stop();
  const asCore = await credentialsOf({ role: "core" });
  await assert.rejects(heartbeatAs(asCore, {}), forbidden);
});

test("a region that the topology does not name is refused", async () => {
  const lhasa = await startTestRegion({ core, name: "lhasa" });
  await assert.rejects(lhasa.heartbeat(), (error) => isFailure(error, "unknown_region"));
  await lhasa.stop();
});

test("a malformed heartbeat is refused, a huge one too", async () => {
  const credentials = await credentialsOf(beijing);
  const send = (body: unknown) => heartbeatAs(credentials, body);
  await assert.rejects(send({ regionId: "beijing" }), (error) => isFailure(error, "bad_request"));
  await assert.rejects(send({ build: "x".repeat(300_000) }), (error) =>
    isFailure(error, "payload_too_large"),
  );
});

test("a room is granted once, and again for the same claim", async () => {
  await region.heartbeat();
  const granted = await ask(claim("room-1", "claim-0001"));
  assert.deepEqual(granted.roomEpoch, [1, 1]);
  assert.deepEqual(await ask(claim("room-1", "claim-0001")), granted, "idempotent");
  await assert.rejects(ask(claim("room-1", "claim-0002")), (e) => isFailure(e, "fenced"));
  const elsewhere = claim("room-1", "claim-0001", "shanghai-1");
  await assert.rejects(ask(elsewhere), (e) => isFailure(e, "forbidden"));
  const unknown = claim("room-1", "claim-0001", "beijing-9");
  await assert.rejects(ask(unknown), (e) => isFailure(e, "unavailable"));
});

test("a claim id stands for one claim with its whole body", async () => {
  const granted = await ask(claim("room-5", "claim-0006"));
  const conflict = (error: unknown) => isFailure(error, "conflict");
  await assert.rejects(ask(claim("room-6", "claim-0006")), conflict);
  await assert.rejects(ask({ ...claim("room-5", "claim-0006"), game: "chess" }), conflict);
  assert.deepEqual(await ask(claim("room-5", "claim-0006")), granted);
  assert.deepEqual(await query("select room_id from meridian.rooms where room_id = 'room-6'"), []);
  const unfit = (error: unknown) => isFailure(error, "bad_request");
  await assert.rejects(ask(claim("room-6", "claim-\u0000001")), unfit);
});

test("one claim id for many rooms at the same moment gets one of them", async () => {
  const rooms = Array.from({ length: 10 }, (_, n) => ask(claim(`room-7-${n}`, "claim-0007")));
  const results = await Promise.allSettled(rooms);
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  for (const result of results) {
    if (result.status === "rejected") assert.ok(isFailure(result.reason, "conflict"));
  }
  const made = await query("select room_id from meridian.rooms where room_id like 'room-7-%'");
  assert.equal(made.length, 1);
});

test("the same claim many times at once is granted once, with one answer", async () => {
  const same = Array.from({ length: 10 }, () => ask(claim("room-8", "claim-0008")));
  for (const { roomEpoch } of await Promise.all(same)) assert.deepEqual(roomEpoch, [1, 1]);
});

test("of twins that claim one room at the same moment, one gets it", async () => {
  const twins = Array.from({ length: 10 }, (_, n) => ask(claim("room-2", `claim-twin-${n}`)));
  const results = await Promise.allSettled(twins);
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  for (const result of results) {
    if (result.status === "rejected") assert.ok(isFailure(result.reason, "fenced"));
  }
});

async function end(roomId: string): Promise<void> {
  await region.heartbeat({ endedRooms: [RoomId.parse(roomId)] });
  await until(async () => {
    const rows = await query("select ended_at from meridian.rooms where room_id = $1", [roomId]);
    return rows[0]?.ended_at !== null;
  });
}

test("a room that ended can be claimed again, under the next epoch", async () => {
  await ask(claim("room-3", "claim-0003"));
  await end("room-3");
  assert.deepEqual((await ask(claim("room-3", "claim-0004"))).roomEpoch, [1, 2]);
});

test("a released room is its next owner's to claim; nobody can release another's", async () => {
  const roomId = RoomId.parse("room-released");
  await ask(claim(roomId, "claim-0016"));
  const release = (nodeId: string) =>
    region.client.call({
      address: core.linkAddress,
      peer: { role: "core" },
      path: "/link/release-rooms",
      body: { nodeId, roomIds: [roomId] },
      answer: ReleaseRoomsAnswer,
      deadlineMs: 5_000,
    });
  await assert.rejects(release("shanghai-1"), (error) => isFailure(error, "forbidden"));
  assert.deepEqual(await release(region.nodeId), { released: 1 });
  assert.deepEqual(await release(region.nodeId), { released: 0 }, "it is released already");
  assert.deepEqual((await ask(claim(roomId, "claim-0017"))).roomEpoch, [1, 2]);
  const row = "select released_at, ended_at from meridian.rooms where room_id = 'room-released'";
  assert.deepEqual(await query(row), [{ released_at: null, ended_at: null }]);
});

test("a claim that comes late, with what a later owner has changed since, is refused", async () => {
  await ask(claim("room-10", "claim-0018"));
  await end("room-10");
  const late = { ...claim("room-10", "claim-0019"), formerEpoch: [1, 1] };
  assert.deepEqual((await ask({ ...late, claimId: "claim-0020" })).roomEpoch, [1, 2]);
  await end("room-10");
  await assert.rejects(ask(late), (error) => isFailure(error, "fenced"));
  const next = { ...late, claimId: "claim-0021", formerEpoch: [1, 2] };
  assert.deepEqual((await ask(next)).roomEpoch, [1, 3]);
  await end("room-10");
  // As for a core that was restored to before the grant of its owner.
  const above = { ...late, claimId: "claim-0022", formerEpoch: [1, 9] };
  assert.deepEqual((await ask(above)).roomEpoch, [1, 4]);
});

test("a claim sent again after its room ended is refused, and revives nothing", async () => {
  const fenced = (error: unknown) => isFailure(error, "fenced");
  await ask(claim("room-9", "claim-0009"));
  await end("room-9");
  await assert.rejects(ask(claim("room-9", "claim-0009")), fenced);
  assert.deepEqual((await ask(claim("room-9", "claim-0010"))).roomEpoch, [1, 2]);
  await assert.rejects(ask(claim("room-9", "claim-0009")), fenced, "while another holds it");
  await end("room-9");
  await assert.rejects(ask(claim("room-9", "claim-0009")), fenced, "and after that one's life");
  const rows = await query("select ended_at from meridian.rooms where room_id = 'room-9'");
  assert.notEqual(rows[0]?.ended_at, null);
});

test("the next life of a node ends its rooms, and the old life is stale", async () => {
  await ask(claim("room-4", "claim-0005"));
  await region.heartbeat({ nodeId: NodeId.parse("beijing-2") });
  await assert.rejects(region.heartbeat(), (error) => isFailure(error, "stale_incarnation"));
  await until(async () => {
    const rows = await query("select ended_at from meridian.rooms where room_id = 'room-4'");
    return rows[0]?.ended_at !== null;
  });
});
