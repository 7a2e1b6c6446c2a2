/** An operator fences a region: all who were there play on elsewhere, and it takes players again after. */
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { FenceAnswer } from "../../core/ops/schemas.ts";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import { RegionId } from "../../shared/ids.ts";
import { until } from "../until.ts";
import { allRegionsActive, regionsOf, worldForTests } from "../world.ts";

const world = worldForTests({ regions: 2, wan: true });
const PLAYERS = 3;

async function operate(method: "POST" | "DELETE", region: RegionId): Promise<unknown> {
  const { core, operatorToken } = world();
  const response = await fetch(`${core.opsUrl}/ops/regions/${region}/fence`, {
    method,
    headers: { authorization: `Bearer ${operatorToken}` },
    signal: AbortSignal.timeout(10_000),
  });
  assert.equal(response.status, 200);
  return await response.json();
}

async function joined(name: string, region?: RegionId): Promise<Play<ArenaState>> {
  const meridian = new Meridian({ url: world().core.url });
  await meridian.logIn({ name });
  return await meridian.join<ArenaState>("arena", region ? { region } : {});
}

/** As games do: when the room is gone, into the next one. */
async function playOn(play: Play<ArenaState>): Promise<void> {
  const { roomId } = play;
  await until("the room is lost", () => play.connection.phase === "lost");
  await play.rejoin();
  assert.notEqual(play.roomId, roomId);
  await until("the player is in the room's state", () => play.state.players.get(play.sessionId));
}

const regionOf = (play: Play<ArenaState>) => RegionId.parse(play.seat?.regionId);

/** Rooms that the core still takes for running in that region. */
async function openRooms(region: RegionId): Promise<number> {
  const client = new pg.Client({ connectionString: world().databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(
      "select count(*)::int as rooms from meridian.rooms where region_id = $1 and ended_at is null",
      [region],
    );
    return rows[0].rooms;
  } finally {
    await client.end();
  }
}

test("all players of a fenced region play on in another, and it takes players again after", async (t) => {
  const everybody = await Promise.all(
    Array.from({ length: PLAYERS }, (_, n) => joined(`Ada ${n}`)),
  );
  t.after(() => Promise.all(everybody.map((play) => play.leave())));
  // Both regions are about as near, and each player measures for themselves.
  const region = regionOf(everybody[0] as Play<ArenaState>);
  const plays = everybody.filter((play) => regionOf(play) === region);

  const { rooms, nodes } = FenceAnswer.parse(await operate("POST", region));
  assert.ok(rooms >= 1);
  assert.deepEqual(
    nodes.map(({ told }) => told),
    [true],
  );
  assert.equal(await openRooms(region), 0);
  await Promise.all(plays.map(playOn));
  for (const play of plays) assert.notEqual(regionOf(play), region);
  assert.ok(world().regions.get(region)?.pid, "the node runs on");

  await operate("DELETE", region);
  await allRegionsActive(world());
  const late = await joined("Bob", region);
  assert.equal(regionOf(late), region);
  await until("its room is the core's too", async () => (await openRooms(region)) === 1);
  await late.leave();
});

test("a region that nobody reaches is fenced; its players follow their room when it is back", async (t) => {
  const [info] = (await regionsOf(world())).regions;
  assert.ok(info);
  const region = info.regionId;
  const play = await joined("Cid", region);
  t.after(() => play.leave());
  const { roomId, sessionId } = play;
  const { wan } = world();
  const links = [wan?.regionToCore.get(region), wan?.coreToRegion.get(region)];
  for (const link of links) await link?.cut();
  await until("the core has ended its rooms there", async () => (await openRooms(region)) === 0);
  for (const link of links) await link?.heal();
  await until("the player is in the room elsewhere", () => {
    return regionOf(play) !== region && play.connection.phase === "playing";
  });
  assert.deepEqual([play.roomId, play.sessionId], [roomId, sessionId]);
  await until("the player is in the room's state", () => play.state.players.get(sessionId));
  const node = world().regions.get(region);
  await until("the fenced node has ended itself", () => node?.pid === undefined);
  await node?.restart();
  await allRegionsActive(world());
});
