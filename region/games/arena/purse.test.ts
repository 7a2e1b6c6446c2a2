/** What players carry and have done, over drops, failovers and rooms: kept, and never doubled. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestPlayer } from "../../rooms/test-player.ts";
import { createTestRoom, type TestRoom } from "../../rooms/test-room.ts";
import { BANKS } from "./arena-map.ts";
import { Arena } from "./arena-room.ts";
import { RESULTS_SECONDS, ROUND_SECONDS } from "./arena-rules.ts";
import { Coin } from "./arena-state.ts";

const TICK_MS = 50;
const GRACE_MS = 30_000;
const ROUND_MS = ROUND_SECONDS * 1_000;
const AWAY = { x: 100, y: 100 };

/** A room in which the first player carries so many coins, and nothing comes up by chance. */
async function arenaWith(carried: number, keepFailures = false) {
  const room = await createTestRoom(Arena, { players: ["Ada", "Bea"], keepFailures });
  const [ada, bea] = room.players;
  assert.ok(ada && bea);
  for (let n = 0; n < 30; n += 1) layCoin(room, `far${n}`, { x: 1_900, y: 1_100 });
  for (const player of [ada, bea]) Object.assign(entityOf(room, player), AWAY);
  room.state.minted += carried;
  entityOf(room, ada).carried = carried;
  await room.advance(TICK_MS);
  return { room, ada, bea };
}

function layCoin({ state }: TestRoom<Arena>, id: string, at: typeof AWAY): void {
  state.coins.set(id, new Coin({ ...at, worth: 1 }));
  state.minted += 1;
}

function entityOf({ state }: TestRoom<Arena>, { sessionId }: TestPlayer) {
  const entity = state.players.get(sessionId);
  assert.ok(entity);
  return entity;
}

function checkWorth({ state }: TestRoom<Arena>): void {
  const lying = [...state.coins.values()].reduce((sum, { worth }) => sum + worth, 0);
  const carried = [...state.players.values()].reduce((sum, player) => sum + player.carried, 0);
  assert.equal(lying + carried + state.setAside + state.banked, state.minted);
}

async function lose(room: TestRoom<Arena>, player: TestPlayer): Promise<void> {
  await player.drop();
  await room.advance(GRACE_MS + TICK_MS);
  assert.equal(room.state.players.has(player.sessionId), false);
}

const purseOf = ({ states }: TestRoom<Arena>, { id }: TestPlayer) => states.get(id, "purse");
const statsOf = ({ states }: TestRoom<Arena>, { id }: TestPlayer) => states.get(id, "stats");

test("what is carried is written when it changes; who was lost has it again in the same round, once", async () => {
  const { room, ada } = await arenaWith(7);
  assert.deepEqual(purseOf(room, ada), { round: `${room.room.roomId}/round-1`, carried: 7 });
  await lose(room, ada);
  assert.equal(room.state.setAside, 7);
  const again = await room.joinAgain(ada);
  assert.equal(entityOf(room, again).carried, 7);
  assert.equal(room.state.setAside, 0);
  checkWorth(room);
  await lose(room, again);
  assert.equal(entityOf(room, await room.joinAgain(again)).carried, 7);
  checkWorth(room);
});

test("who leaves by their own wish drops what they carried, and has nothing of it again", async () => {
  const { room, ada } = await arenaWith(7);
  const lying = room.state.coins.size;
  await ada.leave();
  assert.equal(room.state.coins.size, lying + 7);
  assert.equal(entityOf(room, await room.joinAgain(ada)).carried, 0);
  checkWorth(room);
});

test("with no room in the outbox nothing falls that the purse still says; it comes back instead", async () => {
  const { room, ada } = await arenaWith(7);
  room.states.up = false;
  const lying = room.state.coins.size;
  await ada.leave();
  assert.deepEqual([room.state.coins.size, room.state.setAside], [lying, 7]);
  room.states.up = true;
  assert.equal(entityOf(room, await room.joinAgain(ada)).carried, 7);
  checkWorth(room);
});

test("a purse that could not be written is, as soon as there is room again", async () => {
  const { room, ada } = await arenaWith(3);
  room.states.up = false;
  entityOf(room, ada).carried = 5;
  room.state.minted += 2;
  await room.advance(10 * TICK_MS);
  assert.equal(purseOf(room, ada)?.carried, 3);
  room.states.up = true;
  await room.advance(2_000);
  assert.equal(purseOf(room, ada)?.carried, 5);
});

test("in another round or another room it is void", async () => {
  const { room, ada } = await arenaWith(7);
  await lose(room, ada);
  await room.advance(ROUND_MS - GRACE_MS + RESULTS_SECONDS * 1_000);
  assert.equal(room.state.round, 2);
  assert.equal(entityOf(room, await room.joinAgain(ada)).carried, 0);
  checkWorth(room);

  const other = await createTestRoom(Arena, {});
  other.states.put(ada.id, "purse", { round: `${room.room.roomId}/round-1`, carried: 7 });
  assert.equal(entityOf(other, await other.join("Ada")).carried, 0);
});

test("a purse that is newer than the restored room: the room's word stands, no coin is there twice", async () => {
  const { room, ada } = await arenaWith(4);
  layCoin(room, "c1", { x: 1_000, y: 600 });
  const before = room.snapshot();
  Object.assign(entityOf(room, ada), { x: 1_000, y: 600 });
  await room.advance(TICK_MS);
  assert.equal(purseOf(room, ada)?.carried, 5);
  await room.restore(before);
  await room.advance(TICK_MS);
  assert.equal(room.state.coins.has("c1"), true, "it lies where it lay");
  assert.equal(entityOf(room, ada).carried, 4);
  assert.equal(purseOf(room, ada)?.carried, 4, "and the purse follows");
  checkWorth(room);
});

test("a room restored to before a loss: who joins anew has what they carried there, once", async () => {
  const { room, ada } = await arenaWith(4);
  const before = room.snapshot();
  await lose(room, ada);
  await room.restore(before);
  const again = await room.joinAgain(ada);
  assert.equal(room.state.players.has(ada.sessionId), false);
  assert.equal(entityOf(room, again).carried, 4);
  checkWorth(room);
});

test("both stays of a player in one round are paid, each exactly once", async () => {
  const { room, ada } = await arenaWith(0);
  const [bank] = BANKS;
  const bankIt = async (player: TestPlayer, carried: number) => {
    room.state.minted += carried;
    Object.assign(entityOf(room, player), { x: bank?.x, y: bank?.y, carried });
    await room.advance(TICK_MS);
  };
  await bankIt(ada, 5);
  await ada.leave();
  const again = await room.joinAgain(ada);
  await bankIt(again, 3);
  const before = room.snapshot();
  await room.advance(ROUND_MS);
  await room.restore(before);
  await room.advance(ROUND_MS);
  assert.equal(room.ledger.balance(ada.id, "coin"), 8);
  assert.equal(room.ledger.ops.length, 2);
  const { rounds, wins, banked } = statsOf(room, ada) ?? {};
  assert.deepEqual({ rounds, wins, banked }, { rounds: 1, wins: 1, banked: 8 });
});

test("a room restored to before it paid, in which more is banked then: what was paid stands", async () => {
  const { room, ada } = await arenaWith(0);
  entityOf(room, ada).score = 5;
  await room.advance(ROUND_MS - 1_000);
  const before = room.snapshot();
  await room.advance(1_000);
  await room.restore(before);
  assert.equal(entityOf(room, ada).paid, 5);
  entityOf(room, ada).score = 6;
  await room.advance(1_000);
  assert.equal(room.state.phase, "results");
  assert.equal(room.ledger.balance(ada.id, "coin"), 5);
  await room.advance(RESULTS_SECONDS * 1_000);
  assert.equal(entityOf(room, ada).paid, 0, "the next round begins anew");
});

test("clients are told their stats, and how far what is kept of them is saved", async () => {
  const { room, ada } = await arenaWith(2);
  ada.send("stats", {});
  await room.advance(2 * TICK_MS);
  const of = (type: string) => ada.messages.filter((one) => one.type === type);
  assert.deepEqual(of("stats")[0]?.payload, { rounds: 0, wins: 0, banked: 0, gems: 0 });
  const [last] = of("meridian:saved").slice(-1);
  assert.deepEqual(last?.payload, { savedRevision: 1, revision: 1 });
});
