/**
 * The test room itself, with the arena in it and with a game that does everything a test may ask.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { schema, t } from "@colyseus/schema";
import { z } from "zod";
import { PlayerId } from "../../shared/ids.ts";
import { Arena } from "../games/arena/arena-room.ts";
import { GameRoom } from "./game-room.ts";
import { handler } from "./message-handler.ts";
import type { ExitReason, Player } from "./player.ts";
import { createTestRoom } from "./test-room.ts";

const State = schema({ seconds: t.uint16().default(0), present: t.map("string") }, "State");

class Diary extends GameRoom<InstanceType<typeof State>> {
  static override State = State;
  override maxClients = 2;
  override readonly reconnectGraceMs = 10_000;
  override messages = {
    say: handler(z.object({ text: z.string() }), (player, { text }) => {
      this.broadcast("said", { by: player.name, text });
      player.send(7);
    }),
    explode: handler(z.object({}), () => {
      throw new Error("boom");
    }),
  };
  override readonly timers = {
    second: () => {
      this.state.seconds += 1;
    },
  };
  override onSetup(options: Readonly<Record<string, unknown>>): void {
    this.state.present.set("map", String(options.map));
    this.scheduleEvery("second", 1_000);
  }
  override onEnter(player: Player): void {
    this.#note(player, "in");
  }
  override onAway(player: Player): void {
    this.#note(player, "away");
  }
  override onResume(player: Player): void {
    this.#note(player, "back");
  }
  override onExit(player: Player, reason: ExitReason): void {
    this.#note(player, reason);
  }
  #note({ name }: Player, what: string): void {
    this.state.present.set(name, what);
  }
}

test("the arena: three run, time passes at once, and the room goes on elsewhere", async () => {
  const room = await createTestRoom(Arena, { players: 3 });
  const [ada] = room.players;
  assert.ok(ada);
  const me = () => room.state.players.get(ada.sessionId);
  const { x = 0 } = me() ?? {};
  ada.send("move", { input: 1, x: x > 1_000 ? -1 : 1, y: 0 });
  await room.advance(1_000);
  const moved = Math.abs((me()?.x ?? x) - x);
  assert.ok(moved > 200, `${moved} units in a second`);
  assert.equal(room.state.secondsLeft, 89);
  const { coins } = room.state;
  await room.restore();
  assert.equal(room.state.coins.size, coins.size);
  assert.notEqual(room.state.coins, coins, "it is another room");
  await room.advance(89_000);
  assert.equal(room.state.phase, "results");
  assert.deepEqual(
    room.players.map(({ name }) => name),
    ["Ada", "Bea", "Cid"],
  );
});

test("time stands still but for the test", async () => {
  const room = await createTestRoom(Diary, { options: { map: "north" } });
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(room.room.tick, 0);
  await room.advance(2_500);
  assert.deepEqual([room.room.tick, room.state.seconds], [50, 2]);
  assert.equal(room.state.present.get("map"), "north");
});

test("messages, both ways, over a restore, too", async () => {
  const room = await createTestRoom(Diary, { players: ["Ann", "Ben"] });
  const [ann, ben] = room.players;
  ann?.send("say", { text: "hello" });
  assert.deepEqual(ben?.messages, [{ type: "said", payload: { by: "Ann", text: "hello" } }]);
  assert.deepEqual(ann?.messages.at(-1), { type: 7, payload: undefined });
  await room.restore();
  ben?.send("say", { text: "still here" });
  assert.equal(ann?.messages.filter(({ type }) => type === "said").length, 2);
  assert.deepEqual(room.refusals, []);
});

test("a player drops, comes back, drops again for good; another leaves", async () => {
  const room = await createTestRoom(Diary, { players: ["Ann", "Ben"] });
  const [ann, ben] = room.players;
  assert.ok(ann && ben);
  const { present } = room.state;
  await ann.drop();
  assert.equal(present.get("Ann"), "away");
  await room.advance(9_000);
  await ann.reconnect();
  assert.equal(present.get("Ann"), "back");
  await ann.drop();
  await room.advance(10_000);
  await assert.rejects(ann.reconnect());
  assert.equal(present.get("Ann"), "lost");
  await ben.leave();
  assert.equal(present.get("Ben"), "left");
});

test("who dropped before the room went on elsewhere comes back there", async () => {
  const room = await createTestRoom(Diary, { players: ["Ann"] });
  const [ann] = room.players;
  await ann?.drop();
  await room.restore();
  assert.equal(room.state.present.get("Ann"), "away");
  await ann?.reconnect();
  assert.equal(room.state.present.get("Ann"), "back");
});

test("what game code throws reaches the test, unless it wants to look at it later", async () => {
  const loud = await createTestRoom(Diary, { players: 1 });
  assert.throws(() => loud.players[0]?.send("explode", {}), /^Error: boom$/);
  const quiet = await createTestRoom(Diary, { players: 1, keepFailures: true });
  quiet.players[0]?.send("explode", {});
  assert.deepEqual(
    quiet.failures.map(({ method }) => method),
    ["onMessage"],
  );
});

test("a full room refuses, and says so", async () => {
  const room = await createTestRoom(Diary, { players: 2 });
  await assert.rejects(room.join("Cho"), { kind: "room_full" });
});

test("a room asks about any player; the test says who there is, and whether the core answers", async () => {
  const room = await createTestRoom(Arena, { players: ["Ada"] });
  const [ada] = [...room.room.players.values()];
  assert.ok(ada);
  assert.deepEqual((await room.room.profiles.get(ada.id))?.name, "Ada");
  const stranger = PlayerId.parse("0190f2a0-0000-7000-8000-0000000000ff");
  assert.equal(await room.room.profiles.get(stranger), undefined);
  room.profiles.set({ id: stranger, name: "Bea" });
  room.profiles.up = false;
  const seen = await room.room.profiles.get(stranger);
  assert.deepEqual([seen?.name, seen?.stale], ["Bea", true]);
});
