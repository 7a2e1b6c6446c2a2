import assert from "node:assert/strict";
import { test } from "node:test";
import { LINES_MAX, Story, TOLD_MS } from "./story.ts";

const NAMES: Record<string, string> = { beijing: "Beijing", tianjin: "Tianjin" };

function teller() {
  const time = { nowMs: 0 };
  const story = new Story(
    (id) => NAMES[id] ?? id,
    () => time.nowMs,
  );
  const lines = () => story.lines.map(({ text }) => text);
  return { story, time, lines };
}

const region = (regionId: string, state: "active" | "down", players: number) => ({
  regionId: regionId as never,
  name: NAMES[regionId] ?? "",
  state,
  players,
});

test("a region is lost: who was there hears each step, and with what they arrived", () => {
  const { story, time, lines } = teller();
  story.connection({ phase: "connecting", regionId: "beijing" });
  story.connection({ phase: "playing", regionId: "beijing" });
  story.connection({ phase: "suspect", regionId: "beijing" });
  for (const attempt of [1, 2]) {
    story.connection({ phase: "reconnecting", regionId: "beijing", attempt, nextInMs: 0 });
  }
  time.nowMs = 820;
  story.connection({ phase: "moving", from: "beijing", to: "tianjin" });
  const moved = { from: "beijing", to: "tianjin", tookMs: 820, sameRoom: true };
  story.moved(moved, { score: 12, carried: 3 });
  story.connection({ phase: "playing", regionId: "tianjin" });
  assert.deepEqual(lines(), [
    "You play in Beijing.",
    "Beijing does not answer…",
    "Asking where to go on…",
    "Your room goes on in Tianjin: on the way there…",
    "Your room goes on in Tianjin, 0.8 s later, with your 12 coins and the 3 that you carry.",
  ]);
  time.nowMs += TOLD_MS;
  assert.deepEqual(lines(), []);
});

test("a hiccup ends with how long it was; a region out of reach with another room", () => {
  const { story, time, lines } = teller();
  story.connection({ phase: "playing", regionId: "beijing" });
  story.connection({ phase: "reconnecting", regionId: "beijing", attempt: 1, nextInMs: 100 });
  time.nowMs = 1_500;
  story.connection({ phase: "playing", regionId: "beijing" });
  assert.equal(lines().at(-1), "Beijing answers again, 1.5 s later.");
  const moved = { from: "beijing", to: "tianjin", tookMs: 6_000, sameRoom: false };
  story.moved(moved, undefined);
  assert.match(lines().at(-1) ?? "", /^Beijing can't be reached from here: .* in Tianjin\.$/);
});

test("others hear that a region is lost, who came, and that it is back", () => {
  const { story, time, lines } = teller();
  story.regions([region("beijing", "active", 3), region("tianjin", "active", 1)], "tianjin");
  assert.deepEqual(lines(), [], "nothing is news at first");
  story.regions([region("beijing", "down", 0), region("tianjin", "active", 1)], "tianjin");
  story.regions([region("beijing", "down", 0), region("tianjin", "active", 4)], "tianjin");
  story.regions([region("beijing", "down", 0), region("tianjin", "active", 4)], "tianjin");
  time.nowMs = 20_000;
  story.regions([region("beijing", "active", 0), region("tianjin", "active", 6)], "tianjin");
  assert.deepEqual(lines(), [
    "Beijing is lost, with 3 players.",
    "3 players more in Tianjin since then.",
    "Beijing is back. It takes new players; rooms stay where they are.",
  ]);
});

test("no more lines than fit, and none twice in a row", () => {
  const { story, lines } = teller();
  for (let line = 0; line < 2 * LINES_MAX; line += 1) {
    story.tell(`line ${line}`);
    story.tell(`line ${line}`);
  }
  assert.equal(lines().length, LINES_MAX);
});
