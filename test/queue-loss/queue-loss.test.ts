/**
 * The core and its Redis are killed in the middle of a queue; in the soak each alone as well. `npm run queue-loss`
 * does the same with 20,000 clients. When both are gone nobody is let in for the 30 s in which the slowest client
 * would ask: so does this wait.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, testSeed } from "../../shared/chance.testkit.ts";
import { worldForTests } from "../world.ts";
import { ENV, KILLS, loseQueue } from "./loss.ts";

const CLIENTS = 200;
const DEADLINE_MS = 60_000;
const world = worldForTests({ regions: 1, env: ENV });
const chance = new Chance(testSeed());

const kills = process.env.SOAK ? KILLS : (["both"] as const);
for (const kill of kills) {
  test(`every place outlives SIGKILL of ${kill === "both" ? "core and redis" : kill}`, async () => {
    const report = await loseQueue({
      world: world(),
      clients: CLIENTS,
      kill,
      random: () => chance.float(),
      progress: () => undefined,
      deadlineMs: DEADLINE_MS,
    });
    const { changed, lost, passed, heardAtFirstCall, calls } = report;
    assert.deepEqual({ changed, lost, passed }, { changed: 0, lost: 0, passed: 0 });
    assert.ok(calls >= 20, `${calls} calls`);
    if (kill === "both") assert.equal(heardAtFirstCall, CLIENTS, "nobody is let in before");
  });
}
