/** A whole node over real links: what the core sees of it, and what it does at the core's word. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { LocalDriver, LocalPresence, matchMaker, Room } from "@colyseus/core";
import { Client } from "@colyseus/sdk";
import { startDelayProxy } from "../../infra/local/wan/delay-proxy.ts";
import { createAuthority } from "../../infra/private-link/authority.ts";
import { systemClock } from "../../shared/clock.ts";
import { readConfig } from "../../shared/config.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import { GameName, NodeId } from "../../shared/ids.ts";
import { startAll, stopAll } from "../../shared/lifecycle.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { Done, type ReserveAnswer } from "../../shared/protocol/link.ts";
import { regionSettings } from "../config.ts";
import { Neighbour } from "../link/neighbour.testkit.ts";
import { TEST_REGION, TestCore } from "../link/test-core.ts";
import { noStreams } from "../outbox/no-streams.ts";
import {
  claimsFor,
  newPlayerId,
  reservationFor,
  signTicket,
  until,
} from "../transport/test-tickets.ts";
import type { Games } from "./colyseus.ts";
import { RegionNode } from "./node.ts";

const epochs: Epoch[] = [];
const disposed: string[] = [];

class GatedRoom extends Room {
  override onCreate(): void {
    this.onMessage("echo", (client, text: string) => client.send("echo", text));
  }
  override onDrop(client: Parameters<Room["allowReconnection"]>[0]): void {
    void this.allowReconnection(client, 10);
  }
  grantEpoch(epoch: Epoch): void {
    epochs.push(epoch);
  }
  override async onDispose(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 50));
    disposed.push(this.roomId);
  }
}

const games: Games = new Map([["gated", GatedRoom]]);
const log = createLog("region", "silent");
let core: TestCore;
const player = { playerId: newPlayerId(), name: "Ada", sessionEpoch: [1, 1] as const };
const seat = { kind: "seat", player, mode: "joinOrCreate", options: {}, holdMs: 5_000 } as const;
const gated = GameName.parse("gated");

class Running {
  readonly node: RegionNode;
  readonly metrics = createMetrics({});
  superseded = 0;
  redis: "up" | "down" = "up";

  constructor(settings: Record<string, string> = {}) {
    const config = readConfig(regionSettings, {
      REGION_ID: TEST_REGION,
      CORE_LINK_ADDRESS: core.address,
      REDIS_URL: "redis://127.0.0.1:1",
      LINK_CA_FILE: "-",
      LINK_CERT_FILE: "-",
      LINK_KEY_FILE: "-",
      DRAIN_DEADLINE_MS: "0",
      // Other tests may have the machine.
      OVERLOAD_LOOP_DELAY_MS: "0",
      ...settings,
    });
    const running = this;
    this.node = new RegionNode({
      config,
      nodeId: NodeId.parse("testing-7"),
      games,
      redis: {
        get state() {
          return running.redis;
        },
        stop() {},
      },
      streams: noStreams,
      sharing: { presence: new LocalPresence(), driver: new LocalDriver() },
      identity: core.regionIdentity,
      readIdentity: () => core.regionIdentity.current,
      onSuperseded: () => {
        this.superseded += 1;
      },
      clock: systemClock,
      random: Math.random,
      log,
      metrics: this.metrics,
    });
    this.parts = this.node.parts();
  }

  readonly parts;

  async start(): Promise<this> {
    await startAll(this.parts, log);
    return this;
  }

  stop(): Promise<void> {
    return stopAll(this.parts, log);
  }

  get link(): string {
    return this.node.addresses().link;
  }

  join(answer: ReserveAnswer) {
    const ticket = signTicket(core.signer, claimsFor(answer, player.playerId));
    const reservation = reservationFor(answer, this.node.addresses().players, ticket);
    return new Client("ws://127.0.0.1:1").consumeSeatReservation(reservation);
  }
}

let running: Running | undefined;
before(async () => {
  core = await TestCore.start();
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  core.heartbeatFailure = undefined;
  core.wanted = "active";
  core.regionEpoch = [1, 1];
  core.heartbeats.length = 0;
});
after(() => core.stop());

async function start(settings?: Record<string, string>): Promise<Running> {
  running = await new Running(settings).start();
  await until(() => core.heartbeats.length > 0, "a heartbeat");
  await until(() => ready(), "the lease");
  return running;
}

function ready(): boolean {
  const last = core.heartbeats.at(-1);
  return last !== undefined && last.keyIds.length > 0;
}

test("a seat over the link, a player in the room, an epoch for it, and both in the heartbeat", async () => {
  const { link, node } = await start();
  const answer = await core.reserve(link, { ...seat, game: gated });
  assert.equal(answer.nodeId, "testing-7");
  const room = await running?.join(answer);
  assert.ok(room);
  const echoed = new Promise((resolve) => room.onMessage("echo", resolve));
  room.send("echo", "hello");
  assert.equal(await echoed, "hello");
  await until(() => core.heartbeats.at(-1)?.connected === 1, "the player in a heartbeat");
  const last = core.heartbeats.at(-1);
  assert.equal(last?.rooms, 1);
  assert.equal(last?.publicAddress, node.addresses().players);
  assert.deepEqual(last?.games, ["gated"]);
  assert.equal(core.claims.at(-1)?.roomId, answer.roomId);
  assert.equal(epochs.length, core.claims.length);
  await room.leave();
});

test("a player who left is told of once, one who may come back is not", async () => {
  const { link } = await start();
  // In rooms of their own: in one, the second would take the first one's place.
  const create = { ...seat, mode: "create", game: gated } as const;
  const leaving = await core.reserve(link, create);
  const dropping = await core.reserve(link, create);
  const left = await running?.join(leaving);
  const dropped = await running?.join(dropping);
  assert.ok(left && dropped);
  dropped.reconnection.enabled = false;
  dropped.connection.close();
  await left.leave();
  const told = () => core.heartbeats.flatMap(({ leftSessions }) => leftSessions);
  await until(() => told().length > 0, "the player's leaving");
  const beats = core.heartbeats.length;
  await until(() => core.heartbeats.length > beats + 2, "heartbeats after it");
  const { playerId } = player;
  assert.deepEqual(told(), [{ sessionId: leaving.sessionId, playerId }]);
  const { roomId, sessionId } = dropping;
  await core.evict(link, { roomId, sessionId, kind: "session_taken_over" });
  await until(() => told().length > 1, "the end of the other");
  assert.deepEqual(told()[1], { sessionId, playerId });
});

test("a seat that nobody came for is told of as that of a player who was dropped", async () => {
  const { link } = await start();
  const create = { ...seat, mode: "create", game: gated } as const;
  const lapsing = await core.reserve(link, { ...create, holdMs: 50 });
  const givenBack = await core.reserve(link, create);
  const { roomId, sessionId } = givenBack;
  await core.release(link, { roomId, sessionId });
  const told = () => core.heartbeats.flatMap(({ leftSessions }) => leftSessions);
  const ids = () => new Set(told().map((one) => one.sessionId));
  await until(() => ids().size === 2, "both seats");
  assert.deepEqual(ids(), new Set([lapsing.sessionId, sessionId]));
  assert.ok(told().every(({ playerId, dropped }) => playerId === player.playerId && dropped));
});

test("claims that hang, all together, hold up no heartbeat", async () => {
  const { link, metrics } = await start({ REGION_CAPACITY: "30" });
  let release = (): void => {};
  core.claimsHeld = new Promise((resolve) => {
    release = resolve;
  });
  const before = core.claims.length;
  const create = { ...seat, mode: "create", game: gated } as const;
  await Promise.all(Array.from({ length: 20 }, () => core.reserve(link, create)));
  await until(() => core.claims.length >= before + 16, "as many claims as there are connections");
  const beats = core.heartbeats.length;
  await until(() => core.heartbeats.length >= beats + 6, "heartbeats meanwhile");
  core.claimsHeld = undefined;
  release();
  const outcomes = await metrics.getSingleMetric("meridian_region_heartbeats_total")?.get();
  assert.deepEqual(
    outcomes?.values.map(({ labels }) => labels.outcome),
    ["answered"],
  );
});

async function readiness({ node }: Running): Promise<[status: number, obstacles: string[]]> {
  const response = await fetch(`http://${node.addresses().private}/readyz`);
  const { obstacles } = (await response.json()) as { obstacles: string[] };
  return [response.status, obstacles];
}

/** Asks again and again; the test's own time limit ends it. */
async function untilReadiness(node: Running, status: number): Promise<void> {
  while ((await readiness(node))[0] !== status) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("nobody but the core gets an answer on the link", async () => {
  const { link } = await start();
  const call = {
    address: link,
    peer: { role: "region", regionId: TEST_REGION },
    path: "/link/drain",
    body: { state: "draining" },
    answer: Done,
    deadlineMs: 5_000,
  } as const;
  const neighbour = new LinkClient(new LinkIdentity(await core.credentialsOf("elsewhere")));
  await assert.rejects(neighbour.call(call), { kind: "forbidden" });
  const authority = await createAuthority();
  const { ca } = core.regionIdentity.current;
  const forged = { ca, ...(await authority.issue({ role: "core" })) };
  const stranger = new LinkClient(new LinkIdentity(forged));
  await assert.rejects(stranger.call(call), { kind: "unavailable" });
  await core.reserve(link, { ...seat, game: gated });
  await Promise.all([neighbour.stop(), stranger.stop()]);
});

test("without a lease no seat is granted, players play on, and the next answer mends it", async () => {
  const node = await start();
  const room = await node.join(await core.reserve(node.link, { ...seat, game: gated }));
  assert.deepEqual(await readiness(node), [200, []]);
  core.heartbeatFailure = new MeridianError("unavailable");
  await untilReadiness(node, 503);
  assert.deepEqual(await readiness(node), [503, ["no lease: the core does not answer"]]);
  const refused = core.reserve(node.link, { ...seat, game: gated });
  await assert.rejects(refused, { kind: "unavailable" });
  const echoed = new Promise((resolve) => room.onMessage("echo", resolve));
  room.send("echo", "still here");
  assert.equal(await echoed, "still here");
  core.heartbeatFailure = undefined;
  await untilReadiness(node, 200);
  await core.reserve(node.link, { ...seat, game: gated });
  await room.leave();
});

test("a node that has too much to do says so, and its rooms send fewer patches", async () => {
  const node = await start({
    OVERLOAD_LOOP_DELAY_MS: "1000",
    // Any process has more.
    REGION_MEMORY_BYTES_MAX: "1000000",
  });
  assert.equal(core.heartbeats[0]?.overload, "calm");
  const answer = await core.reserve(node.link, { ...seat, game: gated });
  const room = matchMaker.getLocalRoomById(answer.roomId);
  await until(() => core.heartbeats.at(-1)?.overload === "slow_patches", "the first rung");
  await until(() => room.patchRate === 100, "half of the patches");
  assert.ok((core.heartbeats.at(-1)?.load.rssBytes ?? 0) > 0);
});

test("an operator's drain takes no new players, says so, and can be undone", async () => {
  const node = await start();
  core.wanted = "draining";
  await core.drain(node.link, { state: "draining" });
  assert.deepEqual(await readiness(node), [503, ["draining"]]);
  await assert.rejects(core.reserve(node.link, { ...seat, game: gated }), { kind: "region_full" });
  await until(() => core.heartbeats.at(-1)?.state === "draining", "a heartbeat that says so");
  core.wanted = "active";
  await until(() => core.heartbeats.at(-1)?.state === "active", "the end of the drain");
  await core.reserve(node.link, { ...seat, game: gated });
});

test("a fenced node ends its rooms, grants nothing, runs on, and serves in the next life", async () => {
  const node = await start();
  const answer = await core.reserve(node.link, { ...seat, game: gated });
  const room = await node.join(answer);
  room.reconnection.enabled = false;
  const left = new Promise((resolve) => room.onLeave(resolve));
  core.wanted = "fenced";
  core.regionEpoch = [1, 2];
  await core.fence(node.link, { regionEpoch: [1, 2] });
  assert.equal(await left, 4010, "its players may try again, elsewhere");
  await until(() => disposed.includes(answer.roomId), "the room's end");
  assert.deepEqual(await readiness(node), [503, ["fenced"]]);
  await assert.rejects(core.reserve(node.link, { ...seat, game: gated }), { kind: "region_full" });
  const beats = core.heartbeats.length;
  await until(() => core.heartbeats.length > beats + 1, "it still reports");
  const { state, regionEpoch, rooms } = core.heartbeats.at(-1) ?? {};
  assert.deepEqual([state, regionEpoch, rooms], ["draining", [1, 2], 0]);
  core.wanted = "active";
  await untilReadiness(node, 200);
  const next = await core.reserve(node.link, { ...seat, game: gated });
  assert.notEqual(next.roomId, answer.roomId);
  await until(() => core.claims.at(-1)?.roomId === next.roomId, "its claim");
  assert.deepEqual(core.claims.at(-1)?.regionEpoch, [1, 2]);
});

test("a seat that is released is free again", async () => {
  const node = await start();
  const answer = await core.reserve(node.link, { ...seat, game: gated });
  await until(() => core.heartbeats.at(-1)?.reserved === 1, "the seat in a heartbeat");
  await core.release(node.link, answer);
  await until(() => core.heartbeats.at(-1)?.reserved === 0, "its end");
});

test("the operators' port: alive, why it is not ready, metrics", async () => {
  const node = await start();
  node.redis = "down";
  assert.deepEqual(await readiness(node), [503, ["redis is down"]]);
  const address = `http://${node.node.addresses().private}`;
  assert.equal((await fetch(`${address}/healthz`)).status, 200);
  const metrics = await (await fetch(`${address}/metrics`)).text();
  for (const line of ["meridian_region_lease_held 1", "meridian_region_players 0"]) {
    assert.ok(metrics.includes(line), line);
  }
});

test("a stop is announced, sends players away, and waits for rooms and the core's word", async () => {
  const node = await start();
  const answer = await core.reserve(node.link, { ...seat, game: gated });
  const room = await node.join(answer);
  room.reconnection.enabled = false;
  const left = new Promise((resolve) => room.onLeave(resolve));
  const beats = core.heartbeats.length;
  await node.stop();
  running = undefined;
  assert.equal(await left, 1001);
  assert.ok(disposed.includes(answer.roomId), "its onDispose has settled");
  const states = core.heartbeats.slice(beats).map(({ state }) => state);
  assert.ok(
    states.every((state, index) => state === "draining" || index === 0),
    states.join(),
  );
  const reported = core.heartbeats.flatMap(({ endedRooms }) => endedRooms);
  assert.ok(reported.includes(answer.roomId), "the core knows that the room ended");
});

test("a node that the core knows a newer life of grants nothing and is told once", async () => {
  const node = await start();
  core.heartbeatFailure = new MeridianError("stale_incarnation");
  await until(() => node.superseded > 0, "the core's word");
  const refused = core.reserve(node.link, { ...seat, game: gated });
  await assert.rejects(refused, { kind: "unavailable" });
  await node.stop();
  running = undefined;
  assert.equal(node.superseded, 1);
});

test("while its own way to the core is cut a node goes on through a neighbour, and back", async () => {
  const neighbour = await Neighbour.start({ core, name: "elsewhere" });
  core.peers = { version: "v1", regions: [neighbour.peer] };
  const [targetHost = "", targetPort] = core.address.split(":");
  const proxy = await startDelayProxy({
    listenHost: targetHost,
    listenPort: 0,
    targetHost,
    targetPort: Number(targetPort),
    oneWayMs: 0,
  });
  const node = await start({ CORE_LINK_ADDRESS: `${targetHost}:${proxy.port}` });
  const heartbeat = () => core.heartbeats.at(-1);
  await until(() => heartbeat()?.peersVersion === "v1", "the peers");
  const claims = core.claims.length;
  await proxy.cut();
  await until(() => heartbeat()?.relayed === true, "relayed heartbeats");
  assert.deepEqual(await readiness(node), [200, []]);
  await node.join(await core.reserve(node.link, { ...seat, game: gated }));
  await until(() => core.claims.length > claims, "a claim");
  await proxy.heal();
  await until(() => !heartbeat()?.relayed, "straight heartbeats");
  await node.stop();
  running = undefined;
  core.peers = undefined;
  await Promise.all([proxy.stop(), neighbour.stop()]);
});
