/**
 * The load tests, run by real k6. Against a right world they pass; against one with a planted fault each finds it: a
 * check that can't fail shows nothing.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { unprotectedRooms } from "../../loadtest/followed/followed-world.ts";
import { startDnsGateway } from "../../loadtest/load/dns-gateway.ts";
import { RegionId } from "../../shared/ids.ts";
import { until } from "../until.ts";
import { allRegionsActive, regionsOf, worldForTests } from "../world.ts";
import { startFaultyCore, type Twist } from "./faulty-core.ts";
import { startFaultyWay, type WayOptions } from "./faulty-way.ts";
import { runK6, THRESHOLD_CROSSED } from "./k6-run.ts";

/** Of each region. */
const SEATS = 6;
/** The queue stands here, and nobody else plays. */
const CROWDED = "shanghai";
const KILLED = "beijing";
const STEADY = "tianjin";
/** A test of k6 takes half a second of a core before it begins. */
const AT_ONCE = 4;
const soak = Boolean(process.env.SOAK);

const world = worldForTests({
  regions: 3,
  env: {
    LOG_LEVEL: "warn",
    GAMES_FILE: fileURLToPath(import.meta.resolve("./faulty-games.ts")),
    GAMES: "arena,poor,forger,hasty,deaf,rude",
    REGION_CAPACITY: String(SEATS),
    ADMISSION_HEADROOM: "0",
    GUESTS_PER_PREFIX_PER_SECOND: "1000",
    GUESTS_PER_PREFIX_BURST: "10000",
  },
});

type Settings = Readonly<Record<string, string | number>>;

const k6 = (t: TestContext, script: string, settings: Settings) =>
  runK6(script, { CORE_URL: world().core.url, SEED: process.env.TEST_SEED ?? 1, ...settings }, t.signal);

/** Whatever is found, nothing else must be. */
async function passes(t: TestContext, script: string, settings: Settings): Promise<void> {
  const { code, words } = await k6(t, script, settings);
  assert.equal(code, 0, words);
}

async function finds(
  t: TestContext,
  script: string,
  settings: Settings,
  fault: RegExp,
): Promise<void> {
  const { code, words } = await k6(t, script, settings);
  assert.equal(code, THRESHOLD_CROSSED, words);
  assert.match(words, fault);
}

describe("k6", { concurrency: AT_ONCE }, () => {
  test("queue-10x: all who come get in, in order", async (t) => {
    await passes(t, "queue-10x", { REGION: CROWDED, SEATS, STAY_S: 0 });
  });

  test("failover-drill: who plays in a region that is killed plays on elsewhere", async (t) => {
    const region = world().regions.get(RegionId.parse(KILLED));
    assert.ok(region);
    const playing = async () => {
      const { regions } = await regionsOf(world());
      return regions.find(({ regionId }) => regionId === KILLED)?.players === 2;
    };
    const run = passes(t, "failover-drill", {
      ...{ REGION: KILLED, PLAYERS: 2, DURATION_S: 8, DOWNTIME_P99_MS: 15_000 },
    });
    await until("they play, and their rooms have copies", async () => {
      return (await playing()) && (await unprotectedRooms(world())) === 0;
    });
    region.kill("SIGKILL");
    await run;
    await region.restart();
    await allRegionsActive(world());
  });

  test("smoke: a player does everything once", async (t) => {
    await passes(t, "smoke", { REGION: STEADY, PLAYERS: 1, DURATION_S: 1 });
  });

  test("steady-play: what players see is right", async (t) => {
    await passes(t, "steady-play", {
      ...{ REGION: STEADY, PLAYERS: 2, DURATION_S: 3, OBSERVERS: 1 },
    });
  });
});
