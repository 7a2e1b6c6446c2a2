/**
 * The load tests, run by real k6 against a world in which all is right: they pass. What they find where something is
 * wrong is shown by `planted-faults.test.ts`.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { unprotectedRooms } from "../../loadtest/followed/followed-world.ts";
import { RegionId } from "../../shared/ids.ts";
import { until } from "../until.ts";
import { worldForTests } from "../world.ts";
import { K6_MS_MAX, noWorld, runK6, type Settings, skipWithoutK6 } from "./k6-run.ts";

/** Of each region. */
const SEATS = 2;
/** Whose players find seats in the nearest one, where nobody else plays. */
const KILLED = "beijing";
const CROWDED = "shanghai";
const STEADY = "wuhan";

const skip = skipWithoutK6();
const world = skip
  ? noWorld
  : worldForTests({
      regions: 4,
      env: {
        LOG_LEVEL: "warn",
        REGION_CAPACITY: String(SEATS),
        ADMISSION_HEADROOM: "0",
        GUESTS_PER_PREFIX_BURST: "1000",
      },
    });

async function passes(
  t: TestContext,
  script: string,
  settings: Settings,
  heard?: (words: string) => void,
): Promise<void> {
  const given = { CORE_URL: world().core.url, ...settings };
  const { code, words } = await runK6(script, given, t.signal, heard);
  assert.equal(code, 0, words);
}

describe("k6 against a right world", { concurrency: 3, skip }, () => {
  test("queue-10x: all who come get in, in their order", async (t) => {
    await passes(t, "queue-10x", { REGION: CROWDED, SEATS, STAY_S: 0 });
  });

  test("failover-drill: who plays in a region that is killed plays on elsewhere", async (t) => {
    const region = world().regions.get(RegionId.parse(KILLED));
    assert.ok(region);
    let isReady = false;
    const settings = { PLAYERS: SEATS, AFTER_S: 0, DOWNTIME_P99_MS: 15_000 };
    const drill = passes(t, "failover-drill", { REGION: KILLED, ...settings }, (words) => {
      isReady ||= words.includes("everybody plays");
    });
    await until("everybody plays", () => isReady, K6_MS_MAX);
    const isCopied = async () => (await unprotectedRooms(world())) === 0;
    await until("their room has a copy", isCopied, K6_MS_MAX);
    region.kill("SIGKILL");
    await drill;
  });

  test("smoke, then steady-play: what players see is right", async (t) => {
    await passes(t, "smoke", { REGION: STEADY, PLAYERS: 1, DURATION_S: 1 });
    const steady = { PLAYERS: 2, DURATION_S: 3, OBSERVERS: 1 };
    await passes(t, "steady-play", { REGION: STEADY, ...steady });
  });
});
