/** A whole node over real links: what the core sees of it, and what it does at the core's word. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { Client } from "@colyseus/sdk";
import { systemClock } from "../../shared/clock.ts";
import { readConfig } from "../../shared/config.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { GameName, NodeId } from "../../shared/ids.ts";
import { startAll, stopAll } from "../../shared/lifecycle.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import type { ReserveAnswer } from "../../shared/protocol/link.ts";
import { regionSettings } from "../config.ts";
import { TEST_REGION, TestCore } from "../link/test-core.ts";
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
