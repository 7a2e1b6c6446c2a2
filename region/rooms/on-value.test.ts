/** What a game is told of its operations: each once, in the core's order, also over a failover. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { schema, t } from "@colyseus/schema";
import { MeridianError } from "../../shared/errors.ts";
import type { RoomOp, ValueAnswer } from "../../shared/protocol/value.ts";
import { GameRoom } from "./game-room.ts";
import { createTestRoom, type TestRoom } from "./test-room.ts";

const State = schema({ told: t.array("string"), ticks: t.uint32().default(0) }, "ToldState");

class Told extends GameRoom<InstanceType<typeof State>> {
  static override State = State;
  override onValue({ opSeq, id }: RoomOp): void {
    this.state.told.push(`${opSeq} ${id.split("/")[1]} at ${this.state.ticks}`);
  }
  override onTick(): void {
    this.state.ticks += 1;
  }
}

async function toldRoom(): Promise<TestRoom<Told>> {
  return await createTestRoom(Told, { players: ["Ada"] });
}

function adaOf(room: TestRoom<Told>) {
  const [ada] = room.room.players.values();
  assert.ok(ada);
  return ada;
}

const toldTo = (room: TestRoom<Told>) => [...room.state.told];

test("live, each committed one is told before whoever asked for it goes on; refused ones are not", async () => {
  const room = await toldRoom();
  const ada = adaOf(room);
  await ada.wallet.credit("coin", 5, { cause: "one" });
  assert.deepEqual(toldTo(room), ["1 one at 0"]);
  await assert.rejects(ada.wallet.debit("coin", 9, { cause: "two" }));
  await ada.wallet.credit("coin", 5, { cause: "one" });
  await ada.wallet.debit("coin", 5, { cause: "three" });
  assert.deepEqual(toldTo(room), ["1 one at 0", "3 three at 0"]);
});

test("a room that is restored to before hears of what it forgot before its first tick, once", async () => {
  const room = await toldRoom();
  await adaOf(room).wallet.credit("coin", 5, { cause: "one" });
  const snapshot = room.snapshot();
  await room.advance(100);
  await adaOf(room).wallet.credit("coin", 6, { cause: "two" });
  await assert.rejects(adaOf(room).wallet.debit("coin", 99, { cause: "dear" }));
  await room.restore(snapshot);
  assert.deepEqual(toldTo(room), ["1 one at 0", "2 two at 0"]);
  // The room does again what it forgot: nothing is booked, and nothing told.
  assert.equal(await adaOf(room).wallet.credit("coin", 6, { cause: "two" }), 11);
  await adaOf(room).wallet.credit("coin", 1, { cause: "four" });
  assert.deepEqual(toldTo(room), ["1 one at 0", "2 two at 0", "4 four at 0"]);
  await room.restore();
  assert.equal(toldTo(room).length, 3);
});

test("what a hand-over left unanswered is the next owner's to hear", async () => {
  const room = await toldRoom();
  const former = room.room;
  let answer = (_: ValueAnswer) => {};
  const { apply } = room.ledger;
  room.ledger.apply = async (owned, op) => {
    const decided = await apply.call(room.ledger, owned, op);
    await new Promise<void>((resolve) => {
      answer = () => resolve();
    });
    return decided;
  };
  const paid = adaOf(room).wallet.credit("coin", 5, { cause: "one" });
  await room.advance(50);
  room.ledger.apply = apply;
  await room.restore();
  answer({ outcome: "committed", opSeq: 1, wallets: [] });
  await paid;
  assert.equal(former.state.told.length, 0, "no game code runs in a room that was captured");
  assert.deepEqual(toldTo(room), ["1 one at 1"]);
});

test("answers out of order wait for each other; one that stays away is asked of the core", async () => {
  const room = await toldRoom();
  const { apply, opsAfter } = room.ledger;
  const late: (() => void)[] = [];
  room.ledger.apply = async (owned, op) => {
    const decided = await apply.call(room.ledger, owned, op);
    if (op.id.includes("slow")) await new Promise<void>((resolve) => late.push(resolve));
    return decided;
  };
  const slow = adaOf(room).wallet.credit("coin", 1, { cause: "slow-1" });
  await adaOf(room).wallet.credit("coin", 1, { cause: "quick-1" });
  assert.deepEqual(toldTo(room), []);
  late.pop()?.();
  await slow;
  assert.deepEqual(toldTo(room), ["1 slow-1 at 0", "2 quick-1 at 0"]);
  const never = adaOf(room).wallet.credit("coin", 1, { cause: "slow-2" });
  await adaOf(room).wallet.credit("coin", 1, { cause: "quick-2" });
  let asked = 0;
  room.ledger.opsAfter = async (owned, opSeq) => {
    asked += 1;
    if (asked === 1) throw new MeridianError("timeout");
    return await opsAfter.call(room.ledger, owned, opSeq);
  };
  await room.advance(4_100);
  assert.equal(asked, 2);
  assert.equal(toldTo(room).length, 4);
  assert.match(toldTo(room)[3] ?? "", /^4 quick-2/);
  late.pop()?.();
  await never;
  assert.equal(toldTo(room).length, 4);
  await room.advance(5_000);
  assert.equal(asked, 2, "without a gap nothing is asked");
});

test("a hook that throws is reported, and its operation is not told again", async () => {
  class Throws extends Told {
    override onValue(op: RoomOp): void {
      super.onValue(op);
      throw new Error("a mistake");
    }
  }
  const room = await createTestRoom(Throws, { players: 1, keepFailures: true });
  const [ada] = room.room.players.values();
  await ada?.wallet.credit("coin", 1, { cause: "one" });
  await room.restore();
  assert.deepEqual(
    room.failures.map(({ method }) => method),
    ["onValue"],
  );
});
