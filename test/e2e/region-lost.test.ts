/** A region dies in mid-game: it is noticed, the players are told, and they play on elsewhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, type Room } from "@colyseus/sdk";
import { unprotectedRooms } from "../../loadtest/followed/followed-world.ts";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import type { Connection } from "../../shared/client/connection.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import { RegionId } from "../../shared/ids.ts";
import { RoomsAnswer } from "../../shared/protocol/ops-failover.ts";
import { until } from "../until.ts";
import { allRegionsActive, regionsOf, worldForTests } from "../world.ts";

const world = worldForTests({ regions: 2 });

/** A player and everything its connection said. */
async function joined(name: string): Promise<{ play: Play<ArenaState>; said: Connection[] }> {
  const said: Connection[] = [];
  const meridian = new Meridian({ url: world().core.url });
  await meridian.logIn({ name });
  const play = await meridian.join<ArenaState>("arena", {
    onConnection: (connection) => said.push(connection),
  });
  return { play, said };
}

const regionOf = (play: Play<ArenaState>) => regionNamed(play.seat?.regionId);

function regionNamed(name: string | undefined) {
  const id = RegionId.parse(name);
  const region = world().regions.get(id);
  assert.ok(region, `no region ${id} in this world`);
  return { id, region };
}

/** Where the core's operators see it: a stock client is told no more than an address. */
async function regionOfRoom(roomId: string) {
  const { core, operatorToken } = world();
  const response = await fetch(`${core.opsUrl}/ops/rooms`, {
    headers: { authorization: `Bearer ${operatorToken}` },
    signal: AbortSignal.timeout(5_000),
  });
  const { rooms } = RoomsAnswer.parse(await response.json());
  return regionNamed(rooms.find((room) => room.roomId === roomId)?.regionId);
}

const moving = (play: Play<ArenaState>) => play.state.players.get(play.sessionId);

test("a killed region is noticed, its players are told, and they play on in their room elsewhere", async (t) => {
  const { play, said } = await joined("Ada");
  t.after(() => play.leave());
  const { id, region } = regionOf(play);
  const { roomId, sessionId } = play;
  await until("the room has a copy", async () => (await unprotectedRooms(world())) === 0);
  region.kill("SIGKILL");

  await until("the player is told of the break", () =>
    said.some(({ phase }) => phase === "reconnecting"),
  );
  const gone = await until("the core shows the region as down", async () => {
    const { regions } = await regionsOf(world());
    return regions.find(({ regionId, state }) => regionId === id && state === "down");
  });
  assert.equal(gone.publicAddress, null);
  await until("the player plays elsewhere", () => {
    return play.connection.phase === "playing" && play.connection.regionId !== id;
  });
  assert.notEqual(play.seat?.regionId, id);
  assert.deepEqual([play.roomId, play.sessionId], [roomId, sessionId]);
  const { x } = (await until("the player is in the state", () => moving(play))) ?? { x: 0 };
  const input = (moving(play)?.lastInput ?? 0) + 1;
  play.send("move", { x: x > 0 ? -1 : 1, y: 0, input });
  await until("the player moves there", () => moving(play)?.x !== x);

  await region.restart();
  await allRegionsActive(world());
});

test("a stock client asks the core and comes back to its room and session elsewhere", async (t) => {
  const client = new Client(world().core.url);
  const room: Room<unknown, ArenaState> = await client.joinOrCreate<ArenaState>("arena");
  room.reconnection.enabled = false;
  const { reconnectionToken, roomId, sessionId } = room;
  const { id, region } = await regionOfRoom(roomId);
  await until("the room has a copy", async () => (await unprotectedRooms(world())) === 0);
  const left = new Promise<void>((resolve) => room.onLeave.once(() => resolve()));
  region.kill("SIGKILL");
  await left;

  const back = await until("the core has a seat elsewhere", () =>
    // As the documented loop does: without an answer it asks again.
    client.reconnect<ArenaState>(reconnectionToken).catch(() => undefined),
  );
  t.after(() => back.leave());
  assert.deepEqual([back.roomId, back.sessionId], [roomId, sessionId]);
  const elsewhere = await regionOfRoom(roomId);
  assert.notEqual(elsewhere.id, id);
  const own = await until("the player is in the state", () => back.state.players?.get(sessionId));
  const { x } = own;
  back.send("move", { x: x > 0 ? -1 : 1, y: 0, input: own.lastInput + 1 });
  await until("the player moves there", () => back.state.players.get(sessionId)?.x !== x);

  await region.restart();
  await allRegionsActive(world());
});

test("a drained region takes nobody new, and sends its players off to try again", async (t) => {
  const { play, said } = await joined("Bob");
  t.after(() => play.leave());
  const { id, region } = regionOf(play);
  region.kill("SIGTERM");
  await until("the process has ended by itself", () => region.pid === undefined);
  await until("the player was told", () =>
    said.some(({ phase }) => phase === "reconnecting" || phase === "lost"),
  );

  const other = await joined("Cid");
  t.after(() => other.play.leave());
  assert.notEqual(other.play.seat?.regionId, id);
  await region.restart();
  await allRegionsActive(world());
});

test("with the core gone the room plays on, and joining works again when it is back", async (t) => {
  const { play, said } = await joined("Dee");
  t.after(() => play.leave());
  const phases = said.length;
  world().core.kill("SIGKILL");
  await until("the core is gone", () => world().core.pid === undefined);

  const start = moving(play);
  assert.ok(start);
  const { x } = start;
  play.send("move", { x: x > 0 ? -1 : 1, y: 0, input: 1 });
  await until("the player moves without a core", () => moving(play)?.x !== x);
  assert.equal(said.length, phases, "the connection had nothing to say");

  await world().core.restart();
  await allRegionsActive(world());
  const late = await joined("Eve");
  await late.play.leave();
});
