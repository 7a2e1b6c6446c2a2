/** Rooms in real Colyseus, in this process, with clients that have no network. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { type Client, CloseCode, matchMaker, Protocol, Room } from "@colyseus/core";
import { decode, schema, t } from "@colyseus/schema";
import { z } from "zod";
import { FakeClock } from "../../shared/fake-clock.ts";
import { authOf, startColyseus, turn } from "./colyseus.testkit.ts";
import { defineGame } from "./define-game.ts";
import { FakeClient } from "./fake-client.testkit.ts";
import { GameRoom } from "./game-room.ts";
import { handler } from "./message-handler.ts";
import type { ExitReason, Player, RoomAuth } from "./player.ts";
import { dump } from "./restorable.testkit.ts";
import { restoreRoom } from "./restore-room.ts";
import { RoomStateError } from "./room-error.ts";
import { StockClient } from "./room-host.testkit.ts";
import { noProfiles } from "./room-profiles.ts";
import { RoomReplica } from "./room-replica.ts";
import { noState, noValue } from "./room-services.ts";
import { schemaHash } from "./snapshot-schema.ts";

const Hero = schema({ name: t.string(), x: t.number().default(0), gear: t.set("string") }, "Hero");
const DuelState = schema(
  {
    heroes: t.map(Hero),
    coins: t.array("string"),
    leader: t.ref(Hero).optional(),
    seconds: t.uint16().default(0),
  },
  "DuelState",
);
type DuelState = InstanceType<typeof DuelState>;

const seen: string[] = [];

class Duel extends GameRoom<DuelState> {
  static override State = DuelState;
  override maxClients = 8;
  override messages = {
    move: handler(z.object({ x: z.number() }), (player, { x }) => this.#move(player, x)),
    explode: handler(z.object({}), () => {
      throw new Error("boom");
    }),
  };
  override readonly timers = {
    second: () => {
      this.state.seconds += 1;
      this.state.coins.push(`${this.nextEntityId()}:${this.random.int(1000)}`);
    },
    end: (data: unknown) => {
      seen.push(`end ${JSON.stringify(data)}`);
    },
  };
  override onSetup(): void {
    seen.push("setup");
    this.metadata = { mode: "duel" };
    this.scheduleEvery("second", 1_000);
    this.schedule("end", 5_000, { round: 1 });
  }
  override onEnter(player: Player): void {
    seen.push(`enter ${player.name}`);
    this.state.heroes.set(player.sessionId, new Hero({ name: player.name, x: 0 }));
  }
  override onAway(player: Player): void {
    seen.push(`away ${player.name}`);
  }
  override onResume(player: Player): void {
    seen.push(`resume ${player.name}`);
  }
  override onExit(player: Player, reason: ExitReason): void {
    seen.push(`exit ${player.name} ${reason}`);
    this.state.heroes.delete(player.sessionId);
  }
  override onTick(dtMs: number): void {
    assert.equal(dtMs, 50);
    if (this.tick === 13) throw new Error("unlucky tick");
  }
  #move(player: Player, x: number): number {
    const hero = this.state.heroes.get(player.sessionId);
    assert.ok(hero);
    hero.x = x;
    return x;
  }
}

class Plain extends Room<{ state: DuelState }> {
  override state = new DuelState();
  override messages = {
    hello: (client: Client, text: string) => client.send("hello", text),
  };
  override onJoin(client: Client): void {
    this.state.heroes.set(client.sessionId, new Hero({ name: "plain" }));
  }
}

const clock = new FakeClock();
const failures: string[] = [];
const invalid: string[] = [];
const ada = authOf("ada", 1);
const bea = authOf("bea", 2);

before(async () => {
  await startColyseus();
  defineGame("duel", Duel, {
    clock,
    log: { error: () => {} },
    failed: (_room, error, method) => failures.push(`${method}: ${(error as Error).message}`),
    invalidMessage: (_room, _client, reason) => invalid.push(reason),
    seed: () => 7,
    state: noState,
    value: noValue,
    profiles: noProfiles,
  });
  matchMaker.defineRoomType("duel", Duel);
  matchMaker.defineRoomType("plain", Plain);
});
afterEach(() => {
  for (const list of [seen, failures, invalid]) list.length = 0;
});
after(async () => {
  await matchMaker.gracefullyShutdown();
});

async function makeDuel(roomId: string): Promise<Duel> {
  await matchMaker.handleCreateRoom("duel", { map: "north" }, undefined, roomId);
  const room = matchMaker.getLocalRoomById(roomId);
  assert.ok(room instanceof Duel);
  return room;
}

test("a room ticks only once its epoch is granted, at a fixed step", async () => {
  const room = await makeDuel("ticking");
  clock.advance(1_000);
  assert.equal(room.tick, 0);
  room.grantEpoch([1, 1]);
  clock.advance(1_000);
  assert.equal(room.tick, 20);
  assert.equal(room.nowMs, 1_000);
  assert.equal(room.state.seconds, 1);
  assert.deepEqual(failures, ["onTick: unlucky tick"]);
  await room.disconnect();
  clock.advance(1_000);
  assert.equal(room.tick, 20);
});

test("a message reaches its handler parsed, and a wrong one does not", async () => {
  const room = await makeDuel("messages");
  room.grantEpoch([1, 1]);
  const client = await FakeClient.join(room, "s1", ada);
  client.say("move", { x: 3, cheat: true });
  assert.equal(room.state.heroes.get("s1")?.x, 3);
  client.say("move", { x: "far" });
  client.say("teleport", {});
  client.say("__proto__", {});
  assert.equal(room.state.heroes.get("s1")?.x, 3);
  assert.equal(invalid.length, 3);
  assert.match(invalid[0] ?? "", /^move: x: /);
  assert.match(
    invalid[1] ?? "",
    /^Duel\.messages has no "teleport" \(it has: move, explode\): add it there/,
  );
  assert.equal(client.framesOf(Protocol.ERROR).length, 3);
  client.say("explode", {});
  assert.deepEqual(failures, ["onMessage: boom"]);
  assert.equal(client.closedWith, undefined);
  await room.disconnect();
});

test("a dropped player is away, comes back as the same, or is lost; one who leaves is gone", async () => {
  const room = await makeDuel("drops");
  room.grantEpoch([1, 1]);
  const client = await FakeClient.join(room, "s1", ada);
  const inRoom = () => [...room.players.values()][0];
  const player = inRoom();
  client.drop(CloseCode.ABNORMAL_CLOSURE);
  await settled(() => seen.includes("away ada"));
  assert.equal(inRoom()?.client, undefined);
  const again = await FakeClient.reconnect(room, client);
  assert.equal(inRoom(), player);
  assert.equal(inRoom()?.client, again);
  again.ref.emit("message", Buffer.from([Protocol.LEAVE_ROOM]));
  await settled(() => seen.includes("exit ada left"));
  assert.deepEqual(seen, ["setup", "enter ada", "away ada", "resume ada", "exit ada left"]);
  assert.equal(room.players.size, 0);
});

test("a player whom the server removes is not waited for", async () => {
  const room = await makeDuel("kicks");
  room.grantEpoch([1, 1]);
  await FakeClient.join(room, "s1", ada);
  const client = await FakeClient.join(room, "s2", bea);
  client.drop(CloseCode.WITH_ERROR);
  await settled(() => seen.includes("exit bea removed"));
  assert.equal(room.players.size, 1);
  await room.disconnect();
});

test("a client without a player's auth is refused", async () => {
  const room = await makeDuel("auth");
  room.grantEpoch([1, 1]);
  await assert.rejects(FakeClient.join(room, "s1", { playerId: "x" } as unknown as RoomAuth));
  assert.equal(room.players.size, 0);
  assert.deepEqual(seen, ["setup"]);
  await room.disconnect();
});

test("a room goes on elsewhere: state, time, chance, ids, timers, listing and players", async () => {
  const room = await makeDuel("moving");
  room.grantEpoch([1, 1]);
  const replica = new RoomReplica(schemaHash(DuelState));
  room.replicateTo((frame) => replica.push(frame));
  const first = await FakeClient.join(room, "s1", ada);
  room.broadcastPatch();
  const second = await FakeClient.join(room, "s2", bea);
  const old = new StockClient(reflectionIn(first));
  first.say("move", { x: 1.5 });
  room.state.leader = room.state.heroes.get("s1") as InstanceType<typeof Hero>;
  room.state.heroes.get("s2")?.gear.add("bow");
  clock.advance(2_500);
  await room.lock();
  room.broadcastPatch();
  const atLoss = dump(room.state, "server");
  const snapshot = replica.snapshot();
  // What the standby never hears of: the player saw it, the restored room will not have it.
  room.state.leader = new Hero({ name: "ghost" });
  room.replicateTo(undefined);
  room.broadcastPatch();
  follow(old, first);
  assert.equal((old.state as DuelState).leader?.name, "ghost");
  const next = [room.nextEntityId(), room.random.next(), room.tick, room.state.coins.length];
  second.drop(CloseCode.ABNORMAL_CLOSURE);
  await room.disconnect();
  seen.length = 0;
  failures.length = 0;

  const restored = await restoreRoom({ game: "duel", roomClass: Duel, roomId: "moving", snapshot });
  assert.ok(restored instanceof Duel);
  assert.equal(restored.roomId, "moving");
  assert.deepEqual(dump(restored.state, "server"), atLoss);
  assert.deepEqual(restored.metadata, { mode: "duel" });
  assert.equal(restored.locked, true);
  const now = [restored.nextEntityId(), restored.random.next(), restored.tick];
  assert.deepEqual([...now, restored.state.coins.length], next);
  assert.equal(seen.length, 0, "no hook runs while a room is restored");

  restored.grantEpoch([1, 2]);
  const returned = await FakeClient.join(restored, "s1", ada);
  follow(old, returned);
  assert.deepEqual(dump(old.state, "client"), dump(restored.state, "client"));
  assert.deepEqual(seen, ["resume ada"]);
  assert.deepEqual(restored.players.get("s1" as never)?.options, { team: "red" });
  clock.advance(2_500);
  assert.deepEqual(seen, ["resume ada", 'end {"round":1}']);
  assert.equal(restored.state.seconds, 5);
  restored.broadcastPatch();
  follow(old, returned);
  assert.deepEqual(dump(old.state, "client"), dump(restored.state, "client"));
  clock.advance(30_000);
  await settled(() => seen.includes("exit bea lost"));
  assert.equal(restored.state.heroes.size, 1);
  await restored.disconnect();
});

test("a player who was expected back, and comes anew instead, is not there twice", async () => {
  const room = await makeDuel("anew");
  room.grantEpoch([1, 1]);
  await FakeClient.join(room, "s1", ada);
  const snapshot = room.handOver();
  await room.disconnect();
  seen.length = 0;
  const restored = await restoreRoom({ game: "duel", roomClass: Duel, roomId: "anew", snapshot });
  restored.grantEpoch([1, 2]);
  await FakeClient.join(restored, "s2", { ...ada, sessionEpoch: [1, 2] });
  assert.deepEqual(seen, ["exit ada removed", "enter ada"]);
  assert.deepEqual([...restored.players.keys()], ["s2"]);
  await restored.disconnect();
});

test("a snapshot that is damaged makes no room", async () => {
  const room = await makeDuel("damaged");
  const snapshot = room.snapshot();
  await room.disconnect();
  snapshot[20] = (snapshot[20] ?? 0) ^ 1;
  const restoring = restoreRoom({ game: "duel", roomClass: Duel, roomId: "damaged", snapshot });
  await assert.rejects(restoring, (error) => error instanceof RoomStateError);
  assert.equal(matchMaker.getLocalRoomById("damaged"), undefined);
});

test("a plain Colyseus room runs unchanged beside them", async () => {
  defineGame("plain", Plain);
  await matchMaker.handleCreateRoom("plain", {}, undefined, "plain");
  const room = matchMaker.getLocalRoomById("plain");
  const client = await FakeClient.join(room, "s1", ada);
  client.say("hello", "you");
  assert.equal(client.framesOf(Protocol.ROOM_STATE).length, 1);
  assert.equal(client.framesOf(Protocol.ROOM_DATA).length, 1);
  await room.disconnect();
});

test("a game that can't be restored, or takes the base class' hooks, is refused by name", () => {
  const Stream = schema({ shots: t.stream(Hero) }, "Stream");
  class Streams extends GameRoom {
    static override State = Stream;
  }
  class Hooked extends GameRoom {
    static override State = DuelState;
    override async onJoin(): Promise<void> {}
  }
  class Stateless extends GameRoom {}
  const problem = (game: new () => Room) => {
    try {
      defineGame("bad", game);
    } catch (error) {
      if (error instanceof RoomStateError) return error.problems.join();
    }
    return "";
  };
  assert.match(problem(Streams), /^Stream\.shots: stream/);
  class Plainly extends GameRoom {
    static override State = Object as never;
  }
  assert.match(
    problem(Hooked),
    /^Hooked\.onJoin: belongs to GameRoom; write onEnter\(player\) inst/,
  );
  assert.match(problem(Stateless), /^Stateless: has no `static State`; give it one, a class that/);
  assert.match(
    problem(Plainly),
    /^Plainly\.State: is the class Object, which is no schema; make it/,
  );
});

/** Feeds what a client was sent since the last call into the decoder that it keeps. */
function follow(client: StockClient, from: FakeClient): void {
  for (const frame of from.received.splice(0)) {
    if (frame[0] === Protocol.ROOM_STATE) client.receive(frame, true);
    if (frame[0] === Protocol.ROOM_STATE_PATCH) client.receive(frame, false);
  }
}

/** The description of the state's classes in what a client was sent on joining. */
function reflectionIn(client: FakeClient): Uint8Array {
  const frame = Buffer.from(client.framesOf(Protocol.JOIN_ROOM)[0] ?? []);
  const at = { offset: 1 };
  for (const _string of ["token", "serializer"]) at.offset += 1 + (frame[at.offset] ?? 0);
  const length = decode.number(frame, at);
  return frame.subarray(at.offset, at.offset + length);
}

/** Waits for what Colyseus does in its own promises. */
async function settled(condition: () => boolean): Promise<void> {
  for (let waited = 0; waited < 1_000 && !condition(); waited++) {
    await turn();
  }
  assert.ok(condition());
}
