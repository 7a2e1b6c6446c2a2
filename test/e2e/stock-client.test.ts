/**
 * An unmodified Colyseus client, with nothing but the core's URL: it joins, plays, drops, comes back
 * by itself and by `client.reconnect(token)`, and is told clearly when it may not.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, type Room } from "@colyseus/sdk";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { until } from "../until.ts";
import { worldForTests } from "../world.ts";

const world = worldForTests({ regions: 1 });

const newClient = () => new Client(world().core.url);

type ArenaConnection = Room<unknown, ArenaState>;

async function joinArena(client = newClient(), options = {}): Promise<ArenaConnection> {
  const room: ArenaConnection = await client.joinOrCreate<ArenaState>("arena", options);
  // The SDK gives up on a connection that was up for less than 5 s.
  room.reconnection.minUptime = 0;
  await until("one's own player is in the state", () => me(room));
  return room;
}

const me = (room: ArenaConnection) => room.state.players?.get(room.sessionId);

/** Ends the connection the way a network does: without a word to the room. */
function cut(room: ArenaConnection): void {
  room.connection.transport.close();
}

test("it joins with only the core's URL, and the room hears it", async (t) => {
  const room = await joinArena();
  t.after(() => room.leave());
  const startX = me(room)?.x ?? 0;
  const startY = me(room)?.y ?? 0;
  room.send("move", { x: startX > 0 ? -1 : 1, y: 0, input: 1 });
  await until("the player moved", () => {
    const player = me(room);
    return player && (player.x !== startX || player.y !== startY);
  });
});

test("two of them see each other move", async (t) => {
  const [ada, bob] = await Promise.all([joinArena(), joinArena()]);
  t.after(() => Promise.all([ada.leave(), bob.leave()]));
  assert.equal(ada.roomId, bob.roomId);
  const seen = await until("bob sees ada", () => bob.state.players.get(ada.sessionId));
  const { x, y } = seen;
  ada.send("move", { x: x > 0 ? -1 : 1, y: 0, input: 1 });
  await until("bob sees ada move", () => seen.x !== x || seen.y !== y);
});

test("after a drop it comes back by itself, to the same session", async (t) => {
  const room = await joinArena();
  t.after(() => room.leave());
  const { sessionId } = room;
  for (let drop = 1; drop <= 3; drop += 1) {
    const back = new Promise<void>((resolve) => room.onReconnect.once(resolve));
    cut(room);
    await back;
    assert.equal(room.sessionId, sessionId);
    await until("the player is shown as connected", () => me(room)?.connected);
  }
});

test("reconnect(token) at the core brings another process back to the same session", async (t) => {
  const first = await joinArena();
  const { sessionId, roomId, reconnectionToken } = first;
  first.reconnection.enabled = false;
  const left = new Promise<void>((resolve) => first.onLeave.once(() => resolve()));
  cut(first);
  await left;

  const second: ArenaConnection = await newClient().reconnect<ArenaState>(reconnectionToken);
  t.after(() => second.leave());
  assert.equal(second.sessionId, sessionId);
  assert.equal(second.roomId, roomId);
  await until("the player is there again", () => me(second)?.connected);
});

test("a wrong reconnection token is refused, and the seat stays its owner's", async (t) => {
  const room = await joinArena();
  t.after(() => room.leave());
  const wrong = `${room.roomId}:${"A".repeat(60)}`;
  await assert.rejects(newClient().reconnect(wrong), (error: Error & { code?: number }) => {
    assert.ok(error.code !== undefined && error.code >= 400, String(error.code));
    return true;
  });
  const startX = me(room)?.x ?? 0;
  room.send("move", { x: startX > 0 ? -1 : 1, y: 0, input: 1 });
  await until("the owner plays on", () => me(room)?.x !== startX);
});

test("a player who left for good can't come back", async () => {
  const room = await joinArena();
  const { reconnectionToken } = room;
  await room.leave();
  await assert.rejects(newClient().reconnect(reconnectionToken));
});

test("an unknown game is refused with Colyseus' own code", async () => {
  await assert.rejects(newClient().joinOrCreate("nosuchgame"), { code: 520 });
});

test("joinById leads to the friend's room, and an unknown room is refused", async (t) => {
  const ada = await joinArena();
  const bob: ArenaConnection = await newClient().joinById<ArenaState>(ada.roomId);
  t.after(() => Promise.all([ada.leave(), bob.leave()]));
  assert.equal(bob.roomId, ada.roomId);
  await assert.rejects(newClient().joinById("nosuchroom"), { code: 522 });
});
