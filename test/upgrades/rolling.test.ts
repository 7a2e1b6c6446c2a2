/** From N−1 to N under players, in a small world; `npm run upgrade` does it with more of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "../../shared/chance.testkit.ts";
import { skipWithoutRelease } from "./previous-release.testkit.ts";
import { rollingUpgrade } from "./rolling.ts";

const skip = skipWithoutRelease();
const PLAYERS = cases(6, 200);

test("schema, core and nodes are replaced, and nobody is disconnected or loses anything", {
  skip,
}, async (t) => {
  const result = await rollingUpgrade({
    players: PLAYERS,
    ways: ["evacuate", "succeed"],
    // Beside other tests a core may take longer to start than the client is patient.
    logInBudget: { attemptsMax: 100, totalMs: 120_000 },
    seed: Number(process.env.TEST_SEED ?? 1),
    say: (line) => t.diagnostic(line),
  });
  const { disconnects, failedJoins, lost, doubled, builds, pausesMs, joined } = result;
  assert.deepEqual(result.wrong, []);
  assert.deepEqual([disconnects, failedJoins, lost, doubled], [0, 0, 0, 0]);
  assert.deepEqual(builds, ["next"]);
  assert.ok(pausesMs.length >= PLAYERS, `${pausesMs.length} moves`);
  assert.ok(joined > 0, "nobody joined meanwhile");
});
