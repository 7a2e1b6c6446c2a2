/** What the tracer shows of a room that went on elsewhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestRoom } from "../../region/rooms/test-room.ts";
import { TracedArena } from "./traced-arena.ts";
import type { TracedState } from "./traced-state.ts";

test("nobody sees a former owner's first tick at the next one, though inputs are heard before it ticks", async () => {
  const room = await createTestRoom(TracedArena, { players: ["Ada"] });
  const state = () => room.state as TracedState;
  await room.advance(1_000);
  assert.equal(state().bornTick, 1);
  await room.restore();
  const [ada] = room.players;
  assert.ok(ada);
  ada.send("move", { input: 7, x: 0, y: 1 });
  const { tick } = room.room;
  // As it is sent now, with no tick of this owner yet.
  assert.equal(state().players.get(ada.sessionId)?.lastInput, 7);
  assert.equal(state().tick, tick);
  assert.equal(state().bornTick, tick + 1);
  // Written every fourth tick, and saved at once here.
  assert.equal(state().trails.get(ada.sessionId)?.loadedTick, tick);
  await room.advance(50);
  assert.equal(state().bornTick, tick + 1);
  assert.equal(state().tick, tick + 1);
});
