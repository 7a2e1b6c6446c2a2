/** What is banked in a round is the player's for good: once, also over a failover. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestRoom } from "../../rooms/test-room.ts";
import { Arena } from "./arena-room.ts";
import { ROUND_SECONDS } from "./arena-rules.ts";

/** A room in which the first player has banked so many coins. */
async function arenaWith(score: number, keepFailures = false) {
  const room = await createTestRoom(Arena, { players: 2, keepFailures });
  const [ada] = room.players;
  assert.ok(ada);
  const entity = room.state.players.get(ada.sessionId);
  assert.ok(entity);
  entity.score = score;
  const player = [...room.room.players.values()].find(({ name }) => name === ada.name);
  assert.ok(player);
  const told = () => ada.messages.filter(({ type }) => `${type}`.endsWith("paid"));
  const wallet = () => room.ledger.balance(player.id, "coin");
  return { room, ada, told, wallet };
}

const ROUND_MS = ROUND_SECONDS * 1_000;

test("the round's end pays each who banked, and tells them", async () => {
  const { room, told, wallet } = await arenaWith(7);
  await room.advance(ROUND_MS);
  assert.equal(room.state.phase, "results");
  assert.equal(wallet(), 7);
  assert.deepEqual(told(), [{ type: "paid", payload: { coins: 7, balance: 7 } }]);
  assert.equal(room.ledger.ops.length, 1, "nothing for who banked nothing");
});

test("who leaves in a round is paid then, and not again", async () => {
  const { room, ada, wallet } = await arenaWith(4);
  await ada.leave();
  await room.advance(ROUND_MS);
  assert.equal(wallet(), 4);
});

test("a room that was restored to before the end pays nobody twice", async () => {
  const { room, wallet } = await arenaWith(5);
  await room.advance(ROUND_MS - 1_000);
  const before = room.snapshot();
  await room.advance(1_000);
  assert.equal(wallet(), 5);
  await room.restore(before);
  await room.advance(1_000);
  assert.equal(room.state.phase, "results");
  assert.equal(wallet(), 5);
  assert.equal(room.ledger.ops.length, 1);
});

test("without the core nobody is paid, the player is told, and the round goes on", async () => {
  const { room, told, wallet } = await arenaWith(3, true);
  room.ledger.up = false;
  await room.advance(ROUND_MS + 20_000);
  assert.equal(wallet(), 0);
  assert.deepEqual(told(), [{ type: "not_paid", payload: { coins: 3 } }]);
  assert.equal(room.state.round, 2);
  assert.match(room.failures[0]?.error.message ?? "", /can't answer/);
});
