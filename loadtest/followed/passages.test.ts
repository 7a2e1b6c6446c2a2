/** What is found in doctored records of followed players. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Leg, progressOf, type Sight } from "./leg.ts";
import { LegKeeper } from "./leg-keeper.ts";
import { brokenPromises, passagesOf } from "./passages.ts";

const BOUNDS = { rolledBackMs: 250, twoOwnersMs: 100 };

function sight(atMs: number, tick: number, score: number): Sight {
  return { atMs, tick, progress: progressOf(1, score), docTick: tick, savedTick: tick - 10 };
}

/** At beijing, up to tick 100 with score 3 since tick 97. */
function before(change: Partial<Leg> = {}): Leg {
  return {
    player: "ada",
    roomId: "room",
    sessionId: "session",
    regionId: "beijing",
    nodeId: "beijing-1",
    beganMs: 0,
    entityId: "e1",
    bornTick: 1,
    loadedTick: 0,
    first: sight(10, 50, 0),
    last: sight(1_000, 100, 3),
    echoedMs: 20,
    marks: [sight(10, 50, 0), sight(700, 90, 2), sight(900, 97, 3)],
    end: { how: "broke" },
    ...change,
  };
}

/** At tianjin, restored to tick 96. */
function after(change: Partial<Leg> = {}): Leg {
  return before({
    regionId: "tianjin",
    nodeId: "tianjin-1",
    beganMs: 2_000,
    bornTick: 97,
    loadedTick: 92,
    first: sight(2_010, 99, 2),
    last: sight(3_000, 120, 4),
    echoedMs: 2_100,
    marks: [sight(2_010, 99, 2)],
    end: undefined,
    ...change,
  });
}

test("a room that went on elsewhere as it should breaks no promise, and what it lost is known", () => {
  const legs = [after(), before(), before({ player: "bob", last: sight(1_010, 101, 0) })];
  assert.deepEqual(brokenPromises(legs, BOUNDS), []);
  const [moved, away] = passagesOf(legs);
  assert.equal(moved?.kind, "moved");
  // Bob saw tick 101; the room was restored to 96.
  assert.equal(moved?.rolledBackMs, 250);
  assert.equal(moved?.documentLostMs, 400);
  assert.equal(away?.kind, "away");
});

test("back at the same owner nothing at all may be lost", () => {
  const here = { regionId: "beijing", nodeId: "beijing-1", bornTick: 1 };
  const legs = (score: number) => [before(), after({ ...here, first: sight(2_010, 130, score) })];
  assert.equal(passagesOf(legs(3))[0]?.kind, "stayed");
  assert.deepEqual(brokenPromises(legs(3), BOUNDS), []);
  assert.match(brokenPromises(legs(2), BOUNDS)[0] ?? "", /came back to/);
});

test("each promise that is broken is found", () => {
  const doctored: [string, Leg[], RegExp][] = [
    ["another entity", [before(), after({ entityId: "e7" })], /was e1 of session and is e7/],
    ["another session", [before(), after({ sessionId: "other" })], /is e1 of other/],
    ["a score forgotten", [before(), after({ first: sight(2_010, 99, 1) })], /came back to 65537/],
    ["too far back", [before(), after({ bornTick: 95 })], /rolled back 300 ms/],
    ["not saved", [before(), after({ loadedTick: 80 })], /told that 90 is saved, and has 80/],
    [
      "two owners",
      [before(), before({ player: "bob", last: sight(2_200, 101, 0) }), after()],
      /two owners for 190 ms/,
    ],
  ];
  for (const [what, legs, message] of doctored) {
    const broken = brokenPromises(legs, BOUNDS);
    assert.ok(
      broken.some((text) => message.test(text)),
      `${what}: ${broken.join("; ")}`,
    );
  }
});

test("whoever is in another room, or gave theirs up, has lost it", () => {
  const other = after({ roomId: "other", bornTick: 1 });
  assert.equal(passagesOf([before(), other])[0]?.kind, "lost");
  const gaveUp = after({ first: undefined, last: undefined, end: { how: "lost", why: "gone" } });
  const again = after({ beganMs: 3_000 });
  assert.equal(passagesOf([before(), gaveUp, again])[0]?.kind, "lost");
  assert.equal(passagesOf([before()])[0]?.kind, "away");
  const left = before({ end: { how: "left", why: "asked" } });
  assert.deepEqual(passagesOf([left, other]), [], "who leaves loses nothing");
});

test("a leg knows its first sight, its marks, and which input came back", () => {
  const keeper = new LegKeeper();
  const look = (tick: number, score: number, lastInput: number, bornTick: number) =>
    keeper.see({ ...sight(tick, tick, score), entityId: "e1", bornTick, loadedTick: 0, lastInput });
  look(1, 0, 0, 1);
  const { player, roomId, sessionId, regionId, nodeId, beganMs } = before();
  keeper.begin({ player, roomId, sessionId, regionId, nodeId, beganMs });
  look(10, 0, 7, 1);
  keeper.sent(8);
  keeper.sent(9);
  look(11, 0, 7, 11);
  assert.equal(keeper.isEchoed, false);
  look(12, 1, 8, 11);
  keeper.end({ how: "broke" });
  look(13, 5, 9, 11);
  const [leg, ...others] = keeper.take();
  assert.deepEqual(others, []);
  assert.equal(leg?.bornTick, 11, "of the owner at whose first tick it was seen");
  assert.equal(leg?.first?.tick, 10);
  assert.equal(leg?.last?.tick, 12);
  assert.equal(leg?.echoedMs, 12);
  assert.deepEqual(
    leg?.marks.map(({ tick }) => tick),
    [10, 12],
  );
  assert.deepEqual(keeper.take(), []);
});
