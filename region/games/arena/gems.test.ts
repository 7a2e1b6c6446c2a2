/** A gem is one player's, whatever becomes of the room or the core meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestPlayer } from "../../rooms/test-player.ts";
import { createTestRoom, type TestRoom } from "../../rooms/test-room.ts";
import { Arena } from "./arena-room.ts";
import { Coin, Gem } from "./arena-state.ts";

const GEM = "gem1";
const TICK_MS = 50;
/** The room tries no gem for that long after the core was away. */
const PAUSE_MS = 2_000;
const AT_GEM = { x: 1_000, y: 600 };
const AWAY = { x: 100, y: 100 };

/** A room with two players and one gem, far from both. */
async function arenaWithGem() {
  const room = await createTestRoom(Arena, { players: ["Ada", "Bea"] });
  const [ada, bea] = room.players;
  assert.ok(ada && bea);
  // With so many about, nothing comes up by chance.
  for (let n = 0; n < 30; n += 1) {
    room.state.coins.set(`far${n}`, new Coin({ x: 1_900, y: 1_100, worth: 1 }));
  }
  room.state.gems.set(GEM, new Gem(AT_GEM));
  for (const player of [ada, bea]) place(room, player, AWAY);
  return { room, ada, bea };
}

function place(room: TestRoom<Arena>, { sessionId }: TestPlayer, at: typeof AWAY): void {
  Object.assign(room.state.players.get(sessionId) ?? {}, at);
}

const gemsOf = ({ ledger }: TestRoom<Arena>, { id }: TestPlayer) => ledger.itemsOf(id).length;
const told = ({ messages }: TestPlayer) => messages.filter(({ type }) => type === "gem").length;
const found = ({ states }: TestRoom<Arena>, { id }: TestPlayer) => states.get(id, "stats")?.gems;

test("a gem that is picked up is gone for everybody else, and told and counted once it is theirs", async () => {
  const { room, ada, bea } = await arenaWithGem();
  const answers: (() => void)[] = [];
  const { apply } = room.ledger;
  room.ledger.apply = async (owned, op) => {
    await new Promise<void>((resolve) => answers.push(resolve));
    return await apply.call(room.ledger, owned, op);
  };
  for (const player of [ada, bea]) place(room, player, AT_GEM);
  await room.advance(TICK_MS);
  assert.equal(room.state.gems.get(GEM)?.taker, ada.sessionId);
  await room.advance(10 * TICK_MS);
  assert.equal(answers.length, 1, "asked once, however long the answer takes");
  assert.equal(told(ada), 0);
  answers.pop()?.();
  await room.advance(TICK_MS);
  assert.equal(room.state.gems.has(GEM), false);
  assert.deepEqual([gemsOf(room, ada), gemsOf(room, bea)], [1, 0]);
  assert.deepEqual([told(ada), told(bea)], [1, 0]);
  assert.equal(found(room, ada), 1);
  const [item] = room.ledger.itemsOf(ada.id);
  assert.deepEqual([item?.itemId, item?.kind], [`${room.room.roomId}/${GEM}`, "gem"]);
});

test("the coin dupe: the room is rolled back before a credit, and another player tries the same gem", async () => {
  const { room, ada, bea } = await arenaWithGem();
  const before = room.snapshot();
  place(room, ada, AT_GEM);
  await room.advance(TICK_MS);
  assert.equal(gemsOf(room, ada), 1);
  await room.restore(before);
  assert.equal(room.state.gems.has(GEM), false, "known before the first tick");
  // As a room that was told of it, and forgot it all the same: the core's word stands.
  room.state.gems.set(GEM, new Gem(AT_GEM));
  place(room, bea, AT_GEM);
  await room.advance(TICK_MS);
  assert.deepEqual([gemsOf(room, ada), gemsOf(room, bea)], [1, 0]);
  assert.equal(room.state.gems.has(GEM), false, "it vanishes for who tried");
  assert.equal(told(bea), 0);
  assert.equal(found(room, ada), 1, "counted once, though it was told of twice");
});

test("the same player may pick up again what a room had forgotten: nothing new comes of it", async () => {
  const { room, ada } = await arenaWithGem();
  place(room, ada, AT_GEM);
  await room.advance(TICK_MS);
  room.state.gems.set(GEM, new Gem(AT_GEM));
  await room.advance(TICK_MS);
  assert.equal(room.state.gems.has(GEM), false);
  assert.equal(gemsOf(room, ada), 1);
  assert.equal(found(room, ada), 1);
  assert.equal(room.ledger.ops.length, 1);
});

test("without the core a gem falls back where it lay, and is tried again only after a while", async () => {
  const { room, ada, bea } = await arenaWithGem();
  room.ledger.up = false;
  place(room, ada, AT_GEM);
  await room.advance(TICK_MS);
  const { x, y, taker } = room.state.gems.get(GEM) ?? {};
  assert.deepEqual({ x, y, taker }, { ...AT_GEM, taker: "" });
  room.ledger.up = true;
  place(room, ada, AWAY);
  place(room, bea, AT_GEM);
  await room.advance(PAUSE_MS - 2 * TICK_MS);
  assert.equal(gemsOf(room, bea), 0);
  await room.advance(3 * TICK_MS);
  assert.deepEqual([gemsOf(room, ada), gemsOf(room, bea)], [0, 1]);
});

test("a room that goes on elsewhere before the answer asks for the same player again", async () => {
  const { room, ada, bea } = await arenaWithGem();
  const { apply } = room.ledger;
  room.ledger.apply = () => new Promise(() => {});
  place(room, ada, AT_GEM);
  await room.advance(TICK_MS);
  room.ledger.apply = apply;
  await room.restore();
  place(room, bea, AT_GEM);
  await room.advance(2 * TICK_MS);
  assert.deepEqual([gemsOf(room, ada), gemsOf(room, bea)], [1, 0]);
  assert.equal(room.state.gems.has(GEM), false);
});

test("who left before the gem was theirs has it all the same, or it falls for others", async () => {
  const { room, ada, bea } = await arenaWithGem();
  const { apply } = room.ledger;
  room.ledger.apply = () => new Promise(() => {});
  place(room, ada, AT_GEM);
  await room.advance(TICK_MS);
  await ada.leave();
  room.ledger.apply = apply;
  await room.restore();
  place(room, bea, AT_GEM);
  await room.advance(3 * TICK_MS);
  assert.equal(gemsOf(room, bea), 1);
});
