/** What a game does with money and items, in a room of its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { schema } from "@colyseus/schema";
import { isFailure } from "../../shared/errors.ts";
import { GameRoom } from "./game-room.ts";
import type { Player } from "./player.ts";
import { ValueRefused } from "./room-value.ts";
import { createTestRoom } from "./test-room.ts";

class Market extends GameRoom {
  static override State = schema({}, "MarketState");
}

async function market() {
  const room = await createTestRoom(Market, { players: 2 });
  const [ada, bea] = [...room.room.players.values()] as [Player, Player];
  await ada.wallet.credit("coin", 100, { cause: "start" });
  await bea.items.grant(`${room.room.roomId}/sword`, "sword", { cause: "start" });
  return { room, ada, bea, sword: `${room.room.roomId}/sword` };
}

const refused = (refusal: string) => (error: unknown) =>
  error instanceof ValueRefused && error.refusal === refusal;

test("a cause counts once for a player, and means one thing", async () => {
  const { room, ada } = await market();
  assert.equal(await ada.wallet.credit("coin", 5, { cause: "round-1" }), 105);
  assert.equal(await ada.wallet.credit("coin", 5, { cause: "round-1" }), 105);
  await assert.rejects(ada.wallet.credit("coin", 6, { cause: "round-1" }), (error) =>
    isFailure(error, "conflict"),
  );
  assert.equal(room.ledger.balance(ada.id, "coin"), 105);
});

test("nobody pays what they have not", async () => {
  const { room, ada } = await market();
  const dear = ada.wallet.debit("coin", 101, { cause: "hat" });
  await assert.rejects(dear, refused("insufficient_funds"));
  assert.equal(await ada.wallet.debit("coin", 100, { cause: "cap" }), 0);
  assert.equal(room.ledger.balance(ada.id, "coin"), 0);
});

test("a trade swaps both sides, or nothing", async () => {
  const { room, ada, bea, sword } = await market();
  const offer = (money: number) => ({ from: { money: { coin: money } }, for: { items: [sword] } });
  await assert.rejects(
    room.room.trade(ada, bea, offer(101), { cause: "trade-1" }),
    refused("insufficient_funds"),
  );
  assert.equal(room.ledger.itemsOf(bea.id).length, 1);
  await room.room.trade(ada, bea, offer(60), { cause: "trade-2" });
  assert.deepEqual(
    room.ledger.itemsOf(ada.id).map(({ itemId }) => itemId),
    [sword],
  );
  assert.equal(room.ledger.balance(bea.id, "coin"), 60);
  await assert.rejects(bea.items.take(sword, { cause: "lost" }), refused("not_the_owner"));
  await ada.items.take(sword, { cause: "broken" });
  assert.deepEqual(room.ledger.itemsOf(ada.id), []);
});

test("a cause, a currency or an amount of a wrong form is a mistake that is named", async () => {
  const { ada } = await market();
  await assert.rejects(ada.wallet.credit("coin", 1, { cause: "has blanks in it" }), /a cause/);
  await assert.rejects(ada.wallet.credit("Coin!", 1, { cause: "one" }), /a currency/);
  for (const amount of [0, -1, 0.5, Number.NaN, 1e15]) {
    await assert.rejects(ada.wallet.credit("coin", amount, { cause: "one" }), `${amount}`);
  }
});
