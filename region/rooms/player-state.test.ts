/** What a game does with its players' documents, in a room of its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { schema, t } from "@colyseus/schema";
import { isFailure } from "../../shared/errors.ts";
import { isStorable, NESTING_MAX } from "../../shared/player-state/storable.ts";
import {
  DOCUMENT_BYTES_MAX,
  type Document,
  FIELDS_MAX,
  type Json,
} from "../../shared/protocol/player-state.ts";
import { defineGame } from "./define-game.ts";
import { GameRoom } from "./game-room.ts";
import type { ExitReason, Player } from "./player.ts";
import type { PlayerState } from "./player-state.ts";
import { RoomStateError } from "./room-error.ts";
import type { Collections } from "./state-collections.ts";
import type { TestPlayer } from "./test-player.ts";
import { createTestRoom, type TestRoom } from "./test-room.ts";

const State = schema({ seen: t.array("string") }, "KeepState");

class Keep extends GameRoom<InstanceType<typeof State>> {
  static override State = State;
  static override collections: Collections = {
    stats: { format: 1, initial: { kills: 0 } },
    gear: {
      format: 2,
      migrate: (old, format) => {
        if (old.broken) return { "bad name": 1 };
        return { slots: [old.slot ?? null], from: format };
      },
    },
  };
  override readonly tellsSaved = true;
  override autoDispose = false;
  readonly savedUpTo: number[] = [];

  override onEnter(player: Player): void {
    this.state.seen.push(`enter ${JSON.stringify(player.state.get("stats"))}`);
  }
  override onExit(player: Player, reason: ExitReason): void {
    player.state.set("stats", { left: reason });
  }
  override onSaved(player: Player): void {
    this.savedUpTo.push(player.state.savedRevision);
  }
  override onTick(): void {
    for (const player of this.players.values()) {
      if (this.state.seen.length < 2) {
        this.state.seen.push(`tick ${JSON.stringify(player.state.get("stats"))}`);
      }
    }
  }
}

async function keep() {
  const room = await createTestRoom(Keep, { players: ["Ada"] });
  const [ada] = room.players;
  assert.ok(ada);
  return { room, ada, state: stateOf(room, ada) };
}

function stateOf(room: TestRoom<Keep>, { id }: TestPlayer): PlayerState {
  const player = [...room.room.players.values()].find((one) => one.id === id);
  assert.ok(player);
  return player.state;
}

const failure = (kind: Parameters<typeof isFailure>[1]) => (error: unknown) =>
  isFailure(error, kind);

test("fields are set, added to and taken out: at once in the room, and behind it in the store", async () => {
  const { room, ada, state } = await keep();
  assert.deepEqual(state.get("stats"), { kills: 0 });
  state.set("stats", { rank: "gold", best: [1, { at: "noon" }] });
  assert.equal(state.add("stats", "kills", 2), 2);
  assert.equal(state.add("stats", "kills", -1), 1);
  assert.equal(state.add("stats", "deaths", 1), 1);
  state.unset("stats", "rank", "never");
  const expected = { kills: 1, best: [1, { at: "noon" }], deaths: 1 };
  assert.deepEqual(state.get("stats"), expected);
  assert.deepEqual(room.states.get(ada.id, "stats"), expected);
});

test("a document is as large as its limits, and one change more is refused before it has any effect", async () => {
  const { room, ada, state } = await keep();
  const long = "x".repeat(DOCUMENT_BYTES_MAX - 100);
  state.set("stats", { long });
  assert.throws(() => state.set("stats", { more: "y".repeat(100) }), /bytes/);
  state.unset("stats", "long");
  const many: Record<string, number> = {};
  for (let n = 1; n < FIELDS_MAX; n += 1) many[`f${n}`] = n;
  state.set("stats", many);
  assert.throws(() => state.set("stats", { oneMore: 1 }), RangeError);
  assert.equal(Object.keys(state.get("stats")).length, FIELDS_MAX);
  assert.deepEqual(room.states.get(ada.id, "stats"), state.get("stats"));
});

test("letters of several bytes count as such", async () => {
  const { state } = await keep();
  const text = "語".repeat(DOCUMENT_BYTES_MAX / 3);
  assert.throws(() => state.set("stats", { text }), RangeError);
});

test("what is no JSON, no field's name or no whole number is a mistake that is named", async () => {
  const { state } = await keep();
  const odd: unknown[] = [undefined, () => {}, Symbol("s"), 1n, Number.NaN, new Date(0), "a\0b"];
  const wrong = [...odd, ...odd.map((value) => ({ deep: [value] }))];
  for (const value of wrong) {
    assert.throws(() => state.set("stats", { value } as Document), TypeError, String(value));
  }
  for (const name of ["__proto__", "constructor", "", "9lives", "with blanks", "x".repeat(65)]) {
    const fields = Object.fromEntries([[name, 1]]);
    assert.throws(() => state.set("stats", fields), TypeError, name);
    assert.throws(() => state.add("stats", name, 1), TypeError, name);
    assert.throws(() => state.unset("stats", name), TypeError, name);
  }
  for (const amount of [0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    assert.throws(() => state.add("stats", "kills", amount), RangeError, `${amount}`);
  }
  const deep = (levels: number): Json => (levels === 0 ? 1 : [deep(levels - 1)]);
  state.set("stats", { deep: deep(NESTING_MAX - 1) });
  assert.equal(isStorable(state.get("stats")), true);
  assert.throws(() => state.set("stats", { deep: deep(NESTING_MAX) }), TypeError);
  state.unset("stats", "deep");
  state.set("stats", { rank: "gold" });
  assert.throws(() => state.add("stats", "rank", 1), RangeError);
  assert.throws(() => state.get("stat"), /no collection "stat" \(it has: stats, gear\)/);
  assert.deepEqual(state.get("stats"), { kills: 0, rank: "gold" });
});

test("values are copied in and frozen: nothing changes unseen", async () => {
  const { state } = await keep();
  const best = [{ at: "noon" }];
  state.set("stats", { best });
  best.push({ at: "night" });
  const kept = state.get("stats") as { best: { at: string }[] };
  assert.deepEqual(kept.best, [{ at: "noon" }]);
  assert.throws(() => kept.best.push({ at: "night" }), TypeError);
  assert.throws(() => Object.assign(kept.best[0] ?? {}, { at: "night" }), TypeError);
  assert.throws(() => Object.assign(kept, { kills: 9 }), TypeError);
});

test("two players of one game do not share what they begin with", async () => {
  const { room, ada } = await keep();
  const bea = await room.join("Bea");
  stateOf(room, ada).add("stats", "kills", 1);
  assert.deepEqual(stateOf(room, bea).get("stats"), { kills: 0 });
});

test("an older format is migrated at the load, and stored whole with the first change", async () => {
  const room = await createTestRoom(Keep, {});
  const ada = await room.join("Ada");
  await ada.leave();
  room.states.put(ada.id, "gear", { slot: "sword", old: true }, 1);
  const state = stateOf(room, await room.joinAgain(ada));
  assert.deepEqual(state.get("gear"), { slots: ["sword"], from: 1 });
  assert.deepEqual(room.states.get(ada.id, "gear"), { slot: "sword", old: true });
  state.set("gear", { worn: "hat" });
  const expected = { slots: ["sword"], from: 1, worn: "hat" };
  assert.deepEqual(room.states.get(ada.id, "gear"), expected);
});

test("what newer code has written refuses the join, and leaves the document alone", async () => {
  const { room, ada } = await keep();
  await ada.leave();
  room.states.put(ada.id, "gear", { shelves: 3 }, 3);
  await assert.rejects(room.joinAgain(ada), /format 3; this game knows 2/);
  assert.equal(room.room.players.size, 0);
  assert.deepEqual(room.states.get(ada.id, "gear"), { shelves: 3 });
});

test("a migration that fails for one player takes that one out of a restored room, and is reported", async () => {
  const room = await createTestRoom(Keep, { players: ["Ada", "Bea"], keepFailures: true });
  const [ada, bea] = room.players;
  assert.ok(ada && bea);
  room.states.put(ada.id, "gear", { slot: "sword", broken: true }, 1);
  await room.restore().catch(() => {});
  assert.deepEqual(
    [...room.room.players.values()].map(({ id }) => id),
    [bea.id],
  );
  assert.match(room.failures[0]?.error.message ?? "", /"bad name" can't be a field/);
});

test("with no room in the outbox nothing is taken, and the copy is as before", async () => {
  const { room, ada, state } = await keep();
  state.add("stats", "kills", 1);
  room.states.up = false;
  assert.throws(() => state.add("stats", "kills", 1), failure("outbox_full"));
  assert.throws(() => state.set("stats", { rank: "gold" }), failure("outbox_full"));
  assert.throws(() => state.unset("stats", "kills"), failure("outbox_full"));
  assert.deepEqual(state.get("stats"), { kills: 1 });
  room.states.up = true;
  state.add("stats", "kills", 1);
  assert.deepEqual(room.states.get(ada.id, "stats"), { kills: 2 });
});

test("after another session has taken the player over nothing is written from here", async () => {
  const { room, ada, state } = await keep();
  const elsewhere = await room.states.enter({
    playerId: ada.id,
    sessionEpoch: [1, 2],
    collections: ["stats"],
    onSaved() {},
    onRewrite() {},
  });
  assert.throws(() => state.add("stats", "kills", 1), failure("session_taken_over"));
  elsewhere.change("stats", 1, { add: { kills: 5 } }, 20);
  assert.deepEqual(state.get("stats"), { kills: 0 });
  assert.deepEqual(room.states.get(ada.id, "stats"), { kills: 5 });
});

test("room and client hear what is saved: news only, once a patch, and anew on a new connection", async () => {
  const { room, ada, state } = await keep();
  const heard = () => {
    return ada.messages
      .filter(({ type }) => type === "meridian:saved")
      .map(({ payload }) => payload);
  };
  await room.advance(200);
  assert.deepEqual(heard(), [{ savedRevision: 0, revision: 0 }]);
  for (let n = 0; n < 3; n += 1) state.add("stats", "kills", 1);
  assert.equal(state.revision, 3);
  assert.equal(state.savedRevision, 0);
  await room.advance(200);
  assert.deepEqual(room.room.savedUpTo, [1, 2, 3]);
  const [changed, last] = heard().slice(1);
  assert.deepEqual(changed, { savedRevision: 0, revision: 3 }, "three changes, one message");
  assert.deepEqual(last, { savedRevision: 3, revision: 3 });
  await ada.drop();
  await ada.reconnect();
  await room.advance(50);
  assert.equal(heard().length, 4);
});

test("a client is told of what is not saved, too", async () => {
  const { room, ada, state } = await keep();
  await room.advance(50);
  room.states.holdSaved();
  state.add("stats", "kills", 1);
  await room.advance(50);
  assert.deepEqual(ada.messages.at(-1)?.payload, { savedRevision: 0, revision: 1 });
});

test("onExit may still write, and then the next session has it", async () => {
  const { room, ada } = await keep();
  await ada.leave();
  assert.deepEqual(room.states.get(ada.id, "stats"), { kills: 0, left: "left" });
  const again = await room.joinAgain(ada);
  assert.deepEqual(stateOf(room, again).get("stats"), { kills: 0, left: "left" });
});

test("a restored room has its players' documents before its first tick, newer than the room", async () => {
  const { room, ada, state } = await keep();
  const snapshot = room.snapshot();
  state.add("stats", "kills", 4);
  await room.restore(snapshot);
  await room.advance(100);
  assert.deepEqual([...room.state.seen], ['enter {"kills":0}', 'tick {"kills":4}']);
  assert.throws(() => state.add("stats", "kills", 1), failure("session_taken_over"));
  stateOf(room, ada).add("stats", "kills", 1);
  assert.equal(room.states.get(ada.id, "stats")?.kills, 5);
});

test("a game with wrong collections is refused by name; one without any has no state", async () => {
  class Wrong extends Keep {
    static override collections = {
      Stats: { format: 1 },
      gear: { format: 0 },
      bag: {} as { format: number },
      box: { format: 1, initial: { "bad name": 1 } },
    };
  }
  assert.throws(
    () => defineGame("wrong", Wrong),
    (error) => {
      assert.ok(error instanceof RoomStateError);
      for (const name of ['"Stats" is no name', "gear: has no", "bag: has no", "bad name"]) {
        assert.ok(
          error.message.includes(`Wrong.collections`) && error.message.includes(name),
          name,
        );
      }
      return true;
    },
  );
  class Many extends Keep {
    static override collections = Object.fromEntries(
      Array.from({ length: 33 }, (_, n) => [`c${n}`, { format: 1 }]),
    );
  }
  assert.throws(() => defineGame("many", Many), /has 33; 32 at most/);

  class None extends GameRoom {
    static override State = schema({}, "NoneState");
  }
  const room = await createTestRoom(None, { players: 1 });
  const [player] = room.room.players.values();
  assert.throws(() => player?.state, /names no collections/);
});
