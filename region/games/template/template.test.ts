import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestRoom } from "../../rooms/test-room.ts";
import { decide } from "./bot.ts";
import { CatchMessage, TemplateRoom } from "./template-room.ts";
import { STAR_STAYS_MS, STAR_WORTH } from "./template-rules.ts";

test("whoever catches the star scores, and everybody hears of it", async () => {
  const room = await createTestRoom(TemplateRoom, { players: ["Ada", "Bea"] });
  const [ada, bea] = room.players;
  assert.ok(ada && bea);
  const { starX: x, starY: y } = room.state;
  ada.send("catch", { x, y });
  bea.send("catch", { x, y });
  assert.equal(room.state.players.get(ada.sessionId)?.score, STAR_WORTH);
  assert.equal(room.state.players.get(bea.sessionId)?.score, 0, "the star had moved on");
  assert.deepEqual(bea.messages, [{ type: "caught", payload: { by: "Ada" } }]);
});

test("a star that nobody catches moves on, also after the room moved elsewhere", async () => {
  const room = await createTestRoom(TemplateRoom, { players: 1 });
  const { starX } = room.state;
  await room.restore();
  await room.advance(STAR_STAYS_MS - 1);
  assert.equal(room.state.starX, starX);
  await room.advance(50);
  assert.notEqual(room.state.starX, starX);
  assert.equal(room.state.players.size, 1);
});

test("a wrong message is refused, and never reaches the rules", async () => {
  const room = await createTestRoom(TemplateRoom, { players: 1 });
  room.players[0]?.send("catch", { x: "far", y: 0 });
  assert.match(room.refusals[0] ?? "", /^catch: x: /);
});

test("a bot sends what the room understands", async () => {
  const room = await createTestRoom(TemplateRoom, { players: 1 });
  for (let look = 0; look < 50; look += 1) {
    const decision = decide(room.state, Math.random);
    if (decision) CatchMessage.parse(decision.payload);
  }
});
