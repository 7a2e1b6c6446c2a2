/** Rooms that use presence as Colyseus' own documentation shows it, while their Redis goes away. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { matchMaker, Room } from "@colyseus/core";
import { Redis } from "ioredis";
import { TestRedis } from "../../infra/redis/test-redis.ts";
import { systemClock } from "../../shared/clock.ts";
import { RegionId, RoomId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { colyseusProcessId } from "../node/colyseus.ts";
import { TestNode } from "../transport/test-node.ts";
import { sharedPrefix } from "./keys.ts";
import { RegionDriver } from "./region-driver.ts";
import { createRegionPresence } from "./region-presence.ts";
import { RegionRedis } from "./region-redis.ts";

const regionId = RegionId.parse("testing");
const PREFIX = sharedPrefix(regionId);
const heard: unknown[] = [];
let called = 0;
let vaults = 0;

/** Lets go of every promise, as most rooms do. */
class Town extends Room {
  override onCreate(): void {
    void this.presence.subscribe("news", (message: unknown) => {
      if (message === "bad news") throw new Error("the game fails on it");
      heard.push(message);
    });
  }

  shout(message: string): void {
    void this.presence.publish("news", message);
    void this.presence.hincrby("shouts", "town", 1);
  }

  override onDispose(): void {
    void this.presence.srem("towns", this.roomId);
  }
}

/** Names itself, which Colyseus allows. */
class Named extends Room {
  override onCreate(): void {
    vaults += 1;
    this.roomId = `vault-${vaults}`;
  }

  open(): string {
    called += 1;
    return "gold";
  }
}

let server: TestRedis;
let redis: RegionRedis;
let observer: Redis;
let driver: RegionDriver;
let node: TestNode;

before(async () => {
  server = await TestRedis.start();
  const metrics = createMetrics({});
  const log = createLog("region", "silent");
  redis = new RegionRedis({ url: server.url, regionId, clock: systemClock, log, metrics });
  await redis.start();
  const presence = createRegionPresence({ redis, regionId, log, metrics });
  driver = new RegionDriver({
    connection: redis.shared,
    processId: colyseusProcessId,
    clock: systemClock,
    metrics,
  });
  node = new TestNode({ games: { town: Town, named: Named }, sharing: { presence, driver } });
  await node.start();
  observer = new Redis(server.url, { enableReadyCheck: false, disableClientInfo: true });
  observer.on("error", () => {});
});
after(async () => {
  observer.disconnect();
  await node.stop();
  await driver.shutdown();
  redis.stop();
  await server.stop();
});

async function roomOf(game: string): Promise<Room> {
  const { roomId } = await node.reserve(game, "create", 60_000);
  const room = node.rooms.find(RoomId.parse(roomId));
  assert.ok(room);
  return room;
}

test("a room hears what another one of the region published", async () => {
  const town = (await roomOf("town")) as Town;
  town.shout("a dragon");
  await until("the message", () => heard.includes("a dragon"));
});

test("a listener that fails keeps no other from hearing", async () => {
  await observer.publish(`${PREFIX}news`, '"bad news"');
  await observer.publish(`${PREFIX}news`, '"good news"');
  await until("the message", () => heard.includes("good news"));
});

test("a room that names itself takes no calls either", async () => {
  const named = await roomOf("named");
  const call = JSON.stringify(["open", "1", []]);
  assert.equal(await observer.publish(`${PREFIX}$${named.roomId}`, call), 0, "nobody listens");
  assert.equal(called, 0);
});

test("rooms are made, play and end while Redis is away", async () => {
  const ending = [await roomOf("town"), await roomOf("named")];
  await server.kill();
  await until("the loss", () => !redis.shared.up && !redis.listening.up);
  const town = (await roomOf("town")) as Town;
  town.shout("is anybody there");
  matchMaker.presence.publish("$lobby", "a room,0");
  await Promise.all(ending.map((room) => node.rooms.end(room)));
  await until("the rooms' end", () => ending.every(({ roomId }) => node.ended.includes(roomId)));
  heard.length = 0;
  await server.start();
  await until("the return", () => redis.shared.up && redis.listening.up);
  await until("the subscription", async () => {
    town.shout("back again");
    return heard.includes("back again");
  });
});
