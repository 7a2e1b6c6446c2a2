/** What is a disconnect and what is a planned move, in doctored records of followed players. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Leg, Sight } from "../../loadtest/followed/leg.ts";
import { judgeMoves } from "./planned-moves.ts";

const MOVES = [{ nodeId: "beijing-1", fromMs: 900, untilMs: 3_000 }];
const BOUNDS = { resumeMs: 2_000 };

function sight(atMs: number, tick: number): Sight {
  return { atMs, tick, progress: 0, docTick: 0, savedTick: 0 };
}

/** At the old node, until 1,000 ms. */
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
    first: sight(10, 1),
    last: sight(1_000, 20),
    echoedMs: 20,
    marks: [],
    end: { how: "broke" },
    ...change,
  };
}

/** At the new one, from 1,200 ms. */
function behind(change: Partial<Leg> = {}): Leg {
  return before({
    nodeId: "beijing-2",
    beganMs: 1_150,
    bornTick: 21,
    first: sight(1_200, 21),
    last: sight(5_000, 90),
    echoedMs: 1_300,
    end: { how: "left", why: "asked" },
    ...change,
  });
}

function disconnects(...legs: readonly Leg[]): readonly string[] {
  return judgeMoves(legs, MOVES, BOUNDS).disconnects;
}

test("a planned move that was followed in time is none, and its pause is known", () => {
  assert.deepEqual(judgeMoves([before(), behind()], MOVES, BOUNDS), {
    disconnects: [],
    pausesMs: [300],
  });
  // Broken off once more at the new node, before its state was seen.
  const half = behind({
    first: undefined,
    last: undefined,
    echoedMs: undefined,
    end: { how: "broke" },
  });
  const again = behind({ beganMs: 1_500, echoedMs: 1_700 });
  assert.deepEqual(judgeMoves([before(), half, again], MOVES, BOUNDS), {
    disconnects: [],
    pausesMs: [700],
  });
});

test("all else is a disconnect", () => {
  const planted: readonly (readonly [RegExp, ...(readonly Leg[])])[] = [
    [/did not come back/, before()],
    [/the room was lost/, before(), behind({ roomId: "other" })],
    [/came back as somebody else/, before(), behind({ sessionId: "other" })],
    [/sent away, full/, before({ end: { how: "left", why: "full" } })],
    [/away for 2500 ms/, before(), behind({ echoedMs: 3_500 })],
    [/no input was heard/, before(), behind({ echoedMs: undefined })],
    [/nothing was being replaced/, before({ nodeId: "beijing-7" }), behind()],
    [/nothing was being replaced/, before({ last: sight(800, 16) }), behind()],
    [
      /nothing was being replaced/,
      before(),
      behind({ end: { how: "broke" } }),
      behind({ beganMs: 6_000, echoedMs: 6_100 }),
    ],
  ];
  for (const [pattern, ...legs] of planted) {
    const found = disconnects(...legs);
    assert.equal(found.length, 1, `${pattern}: ${found.join("; ")}`);
    assert.match(found[0] ?? "", pattern);
  }
});
