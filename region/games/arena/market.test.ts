/** Two players in a bank swap a gem for coins: both, or nothing, and once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Player } from "../../rooms/player.ts";
import type { TestPlayer } from "../../rooms/test-player.ts";
import { createTestRoom, type TestRoom } from "../../rooms/test-room.ts";
import { BANKS, type Point } from "./arena-map.ts";
import { Arena } from "./arena-room.ts";

const TICK_MS = 50;
const GEM = "another-room/gem1";
const [HERE = { x: 0, y: 0 }, THERE = HERE]: readonly Point[] = BANKS;

/** Both stand in a bank; Ada has a gem, and Bea coins. */
async function market(coins: number) {
  const room = await createTestRoom(Arena, { players: ["Ada", "Bea"] });
  const [ada, bea] = room.players;
  assert.ok(ada && bea);
  await playerOf(room, ada).items.grant(GEM, "gem", { cause: "start" });
  await playerOf(room, bea).wallet.credit("coin", coins, { cause: "start" });
  for (const player of [ada, bea]) place(room, player, HERE);
  return { room, ada, bea };
}

function playerOf({ room }: TestRoom<Arena>, { id }: TestPlayer): Player {
  const player = [...room.players.values()].find((one) => one.id === id);
  assert.ok(player);
  return player;
}

function place({ state }: TestRoom<Arena>, { sessionId }: TestPlayer, { x, y }: Point): void {
  Object.assign(state.players.get(sessionId) ?? {}, { x, y });
}

function ownedBy({ ledger }: TestRoom<Arena>, { id }: TestPlayer): [number, number] {
  return [ledger.itemsOf(id).length, ledger.balance(id, "coin")];
}

const told = ({ messages }: TestPlayer) => {
  return messages.filter(({ type }) => `${type}`.endsWith("traded"));
};

test("an offer that is accepted swaps a gem for coins, and both are told", async () => {
  const { room, ada, bea } = await market(12);
  ada.send("offer", { to: bea.sessionId, gem: GEM, price: 10 });
  assert.equal(room.state.offers.get(ada.sessionId)?.price, 10);
  bea.send("accept", { from: ada.sessionId });
  bea.send("accept", { from: ada.sessionId });
  await room.advance(TICK_MS);
  assert.deepEqual(
    [ownedBy(room, ada), ownedBy(room, bea)],
    [
      [0, 10],
      [1, 2],
    ],
  );
  const expected = [{ type: "traded", payload: { itemId: GEM, price: 10 } }];
  assert.deepEqual([told(ada), told(bea)], [expected, expected]);
  assert.equal(room.state.offers.size, 0);
});

test("who has not what they offer, or ask for, trades nothing", async () => {
  const { room, ada, bea } = await market(9);
  for (const gem of [GEM, "nobodys/gem"]) {
    ada.send("offer", { to: bea.sessionId, gem, price: 10 });
    bea.send("accept", { from: ada.sessionId });
    await room.advance(TICK_MS);
  }
  assert.deepEqual(
    [ownedBy(room, ada), ownedBy(room, bea)],
    [
      [1, 0],
      [0, 9],
    ],
  );
  const refusals = told(bea).map(({ payload }) => payload);
  assert.deepEqual(refusals, [{ why: "value_refused" }, { why: "value_refused" }]);
});

test("an offer is to one player, in the same bank, and ends with it", async () => {
  const { room, ada, bea } = await market(12);
  const cid = await room.join("Cid");
  place(room, cid, HERE);
  ada.send("offer", { to: bea.sessionId, gem: GEM, price: 10 });
  cid.send("accept", { from: ada.sessionId });
  ada.send("accept", { from: ada.sessionId });
  assert.equal(room.state.offers.size, 1);
  place(room, bea, THERE);
  bea.send("accept", { from: ada.sessionId });
  await room.advance(TICK_MS);
  assert.equal(room.state.offers.size, 0);
  ada.send("offer", { to: bea.sessionId, gem: GEM, price: 10 });
  ada.send("offer", { to: ada.sessionId, gem: GEM, price: 10 });
  assert.equal(room.state.offers.size, 0);
  ada.send("offer", { to: bea.sessionId, gem: GEM, price: 0 });
  assert.equal(room.refusals.length, 1);
  assert.deepEqual(ownedBy(room, ada), [1, 0]);
});

test("a room restored to before the trade, in which it is offered and accepted again, trades once", async () => {
  const { room, ada, bea } = await market(25);
  ada.send("offer", { to: bea.sessionId, gem: GEM, price: 10 });
  const before = room.snapshot();
  bea.send("accept", { from: ada.sessionId });
  await room.advance(TICK_MS);
  await room.restore(before);
  assert.equal(room.state.offers.size, 0, "known before the first tick");
  ada.send("offer", { to: bea.sessionId, gem: GEM, price: 10 });
  bea.send("accept", { from: ada.sessionId });
  await room.advance(TICK_MS);
  assert.deepEqual(
    [ownedBy(room, ada), ownedBy(room, bea)],
    [
      [0, 10],
      [1, 15],
    ],
  );
});
