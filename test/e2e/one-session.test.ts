/** A player plays in one place: whoever comes later has it, and the other device is told, once and for all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import type { Connection } from "../../shared/client/connection.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import type { KeyValueStorage } from "../../shared/client/storage.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import { until } from "../until.ts";
import { regionsOf, seatsHeld, worldForTests } from "../world.ts";

const world = worldForTests({ regions: 2, wan: true });
/** Longer than any device waits before it tries again. */
const LULL_MS = 3_000;
const TAKEN_OVER: Connection = { phase: "left", reason: "session_taken_over" };

/** What the devices of one player have in common: the account. */
function sharedStorage(): KeyValueStorage {
  const entries = new Map<string, string>();
  return {
    getItem: (key) => entries.get(key) ?? null,
    setItem: (key, value) => void entries.set(key, value),
    removeItem: (key) => void entries.delete(key),
  };
}

interface Device {
  readonly play: Play<ArenaState>;
  readonly said: Connection[];
}

async function playOn(
  storage: KeyValueStorage,
  region: RegionId,
  fetching: typeof fetch = fetch,
): Promise<Device> {
  const said: Connection[] = [];
  const meridian = new Meridian({ url: world().core.url, storage, fetch: fetching });
  await meridian.logIn({ name: "Ada" });
  const play = await meridian.join<ArenaState>("arena", {
    region,
    onConnection: (connection) => said.push(connection),
  });
  return { play, said };
}

async function regionIds(): Promise<[RegionId, RegionId]> {
  const [one, two] = (await regionsOf(world())).regions;
  assert.ok(one && two);
  return [one.regionId, two.regionId];
}

async function playersOnline(): Promise<number> {
  return (await regionsOf(world())).playersOnline;
}

test("two devices in two regions: the later plays, the former is told and leaves it at that", async (t) => {
  const [here, there] = await regionIds();
  const storage = sharedStorage();
  const first = await playOn(storage, here);
  const second = await playOn(storage, there);
  t.after(() => second.play.leave());
  await until("the first is told", () => first.said.at(-1)?.phase === "left");
  assert.deepEqual(first.play.connection, TAKEN_OVER);
  assert.equal(
    first.said.some(({ phase }) => phase === "reconnecting" || phase === "lost"),
    false,
  );
  await until("one player is counted", async () => (await playersOnline()) === 1);
  await until("no seat is kept for the former session", async () => {
    return (await seatsHeld(world())) === 0;
  });

  const spoken = [first.said.length, second.said.length];
  await sleep(systemClock, LULL_MS);
  assert.deepEqual([first.said.length, second.said.length], spoken, "nobody fights back");

  // By the player's own wish it goes the other way round.
  await first.play.rejoin();
  await until("the second is told", () => second.said.at(-1)?.phase === "left");
  assert.deepEqual(second.play.connection, TAKEN_OVER);
  assert.equal(first.play.connection.phase, "playing");
  await first.play.leave();
  await until("nobody is counted", async () => (await playersOnline()) === 0);
});

test("a device that is about to reconnect gives way too, and its seat is free at once", async (t) => {
  const [here, there] = await regionIds();
  const storage = sharedStorage();
  let letAsk = (): void => {};
  const mayAsk = new Promise<void>((resolve) => {
    letAsk = resolve;
  });
  const first = await playOn(storage, here, async (input, init) => {
    if (`${input}`.endsWith("/v1/reconnect")) await mayAsk;
    return await fetch(input, init);
  });
  const way = world().wan?.playerToRegion.get(here);
  await way?.cut();
  await until("it looks for its seat", () => first.play.connection.phase === "reconnecting");
  await way?.heal();
  await until("its seat is kept", async () => (await seatsHeld(world())) === 1);

  const second = await playOn(storage, there);
  t.after(() => second.play.leave());
  await until("no seat is kept", async () => (await seatsHeld(world())) === 0);
  letAsk();
  await until("the first is told", () => first.said.at(-1)?.phase === "left");
  assert.deepEqual(first.play.connection, TAKEN_OVER);
  assert.equal(second.play.connection.phase, "playing");
});

test("a session in a room that moves to the node's next life is ended there", async (t) => {
  const [here, there] = await regionIds();
  const storage = sharedStorage();
  const first = await playOn(storage, here);
  const region = world().regions.get(here);
  assert.ok(region);
  const moved = region.succeed();
  const second = await playOn(storage, there);
  t.after(() => second.play.leave());
  await moved;
  await until("the first is told", () => first.said.at(-1)?.phase === "left");
  assert.deepEqual(first.play.connection, TAKEN_OVER);
  await until("no seat is kept", async () => (await seatsHeld(world())) === 0);
});
