import assert from "node:assert/strict";
import { test } from "node:test";
import { RefusalLog } from "./refusal-log.ts";

test("each reason is logged once, and no more than a hundred of them", () => {
  const logged: unknown[] = [];
  const info = (about: unknown) => logged.push(about);
  const refusals = new RefusalLog({ info } as never);
  for (let n = 0; n < 3; n += 1) refusals.note("duel", "move: x: wrong");
  assert.deepEqual(logged, [{ game: "duel", reason: "move: x: wrong" }]);
  for (let n = 0; n < 500; n += 1) refusals.note("duel", `Duel.messages has no "${n}"`);
  assert.equal(logged.length, 100);
});
