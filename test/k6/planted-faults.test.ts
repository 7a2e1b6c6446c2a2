/**
 * A check that can't fail shows nothing: for each load test something is planted that a right server never does, and
 * its checks find it. The faults are in games of a test's own (`faulty-games.ts`), in a proxy in front of a real core,
 * or in one on the way to a real node.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startDnsGateway } from "../../loadtest/load/dns-gateway.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { RegionId } from "../../shared/ids.ts";
import { until } from "../until.ts";
import { worldForTests } from "../world.ts";
import { type Answered, startFaultyCore, type Twist } from "./faulty-core.ts";
import { queueOf } from "./faulty-queue.ts";
import { type FaultyWay, startFaultyWay, type WayOptions } from "./faulty-way.ts";
import {
  K6_MS_MAX,
  noWorld,
  runK6,
  type Settings,
  skipWithoutK6,
  THRESHOLD_CROSSED,
} from "./k6-run.ts";

/** k6 computes for half a second before it begins. */
const AT_ONCE = 4;
const SLOW_MS = 1_500;
/** Whoever got so many has been heard. */
const PATCHES_SEEN = 20;
/** What takes long is left to the long run. */
const long = process.env.SOAK ? {} : { skip: "takes long: npm run soak" };

const skip = skipWithoutK6();
const world = skip
  ? noWorld
  : worldForTests({
      regions: 1,
      env: {
        LOG_LEVEL: "error",
        GAMES_FILE: fileURLToPath(import.meta.resolve("./faulty-games.ts")),
        ADMISSION_HEADROOM: "0",
        GUESTS_PER_PREFIX_BURST: "1000",
      },
    });

/** The script ends as one that found something does, and says what. */
async function finds(t: TestContext, script: string, settings: Settings, fault: RegExp) {
  const { code, words } = await runK6(
    script,
    { CORE_URL: world().core.url, ...settings },
    t.signal,
  );
  assert.equal(code, THRESHOLD_CROSSED, words);
  assert.match(words, fault);
}

/** A game of which nothing is right but the name of its rules. */
const wrong = (game: string) => ({ GAME: game, RULES: "arena", PLAYERS: 1, OBSERVERS: 1 });

async function coreThat(t: TestContext, twist: Twist): Promise<{ CORE_URL: string }> {
  const core = await startFaultyCore(world().core.url, twist);
  t.after(() => core.stop());
  return { CORE_URL: core.url };
}

/** Players get seats as always, and come to them by a way with that fault. */
async function wayThat(
  t: TestContext,
  options: Omit<WayOptions, "node">,
  twist: Twist = (_asked, ask) => ask(),
): Promise<FaultyWay & { readonly CORE_URL: string }> {
  const { publicAddress = "" } = world().regions.get(RegionId.parse("beijing")) ?? {};
  const way = await startFaultyWay({ node: publicAddress, ...options });
  t.after(() => way.stop());
  const { CORE_URL } = await coreThat(t, async (asked, ask) => {
    const answered = await twist(asked, ask);
    const text = JSON.stringify(answered.body).replaceAll(publicAddress, way.address);
    return { ...answered, body: JSON.parse(text) };
  });
  return Object.assign(way, { CORE_URL });
}

const refusal = (kind: "overloaded" | "reconnect_expired"): Answered => {
  const error = new MeridianError(kind);
  return { status: error.status, body: error.toBody() };
};

const short = { PLAYERS: 2, OBSERVERS: 1, DURATION_S: 4 };

describe("k6 against a wrong world", { concurrency: AT_ONCE, skip }, () => {
  test("smoke: a coin that was shown as banked, and is not in the wallet", async (t) => {
    await finds(t, "smoke", { ...wrong("poor"), DURATION_S: 0 }, /coin_lost: /);
  });

  test("steady-play: a state in which there is a coin too many", async (t) => {
    await finds(t, "steady-play", { ...wrong("forger"), DURATION_S: 2 }, /wrong_state: .* minted/);
  });

  test("steady-play: a patch that never came", async (t) => {
    const { CORE_URL } = await wayThat(t, { loses: (nth) => nth > 10 && nth % 2 === 0 });
    await finds(t, "steady-play", { ...short, CORE_URL }, /(wrong_state|bad_frame): /);
  });

  test("steady-play: inputs that nobody hears", async (t) => {
    await finds(t, "steady-play", { ...wrong("deaf"), DURATION_S: 2 }, /input_lost: /);
  });

  test("steady-play: players who are too fast", long, async (t) => {
    await finds(t, "steady-play", { ...wrong("hasty"), DURATION_S: 30 }, /too_fast: /);
  });

  test("login-storm: log-ins that take too long", async (t) => {
    const core = await coreThat(t, async ({ path }, ask) => {
      if (path === "/v1/guests") await sleep(systemClock, SLOW_MS);
      return ask();
    });
    await finds(t, "login-storm", { ...core, RATE: 5, DURATION_S: 1 }, /login_ms\s+✗ /);
  });

  test("login-storm: refusals that don't say when to come back", async (t) => {
    const core = await coreThat(t, async ({ path }, ask) => {
      return path === "/v1/guests" ? refusal("overloaded") : ask();
    });
    await finds(t, "login-storm", { ...core, RATE: 5, DURATION_S: 1 }, /impolite: /);
  });

  test("join: a ticket with which nobody is let in", async (t) => {
    let spoilt = false;
    const core = await coreThat(t, async ({ path }, ask) => {
      const answered = await ask();
      if (path !== "/v1/join" || spoilt) return answered;
      // Only the first: whoever was refused joins again, and the script is over soon.
      spoilt = true;
      const text = JSON.stringify(answered.body).replace(/\/t\/[^"]{20}/, "/t/spoilt");
      return { ...answered, body: JSON.parse(text) };
    });
    const settings = { ...core, RATE: 1, DURATION_S: 1, STAY_S: 0 };
    await finds(t, "join", settings, /refused_after_admitted: /);
  });

  test("failover-drill: players who are not let back in", async (t) => {
    const way = await wayThat(t, {}, async ({ path }, ask) => {
      return path === "/v1/reconnect" ? refusal("reconnect_expired") : ask();
    });
    const run = finds(
      t,
      "failover-drill",
      { ...short, DURATION_S: 60, MOVES: 0, CORE_URL: way.CORE_URL },
      /not_resumed: .*reconnect_expired/,
    );
    await until("they play", () => way.playing(PATCHES_SEEN) === short.PLAYERS, K6_MS_MAX);
    way.cut();
    await run;
  });

  const faultyQueues: readonly [what: string, queue: Twist, fault: RegExp][] = [
    [
      "somebody is called out of turn",
      queueOf((number, poll) => {
        const isCalled = number === 2 || poll > 6;
        return { state: isCalled ? "called" : "waiting", position: number };
      }),
      /queue_inversion: /,
    ],
    [
      "somebody is called, and then refused",
      queueOf(() => ({ state: "called", position: 1 }), true),
      /refused_after_admitted: /,
    ],
    [
      "somebody's place goes back",
      queueOf((_number, poll) => ({ state: poll > 2 ? "called" : "waiting", position: poll + 1 })),
      /position_rose: /,
    ],
  ];
  for (const [what, queue, fault] of faultyQueues) {
    test(`queue-10x: ${what}`, async (t) => {
      const core = await coreThat(t, queue);
      await finds(t, "queue-10x", { ...core, PLAYERS: 2, STAY_S: 0, DURATION_S: 4 }, fault);
    });
  }

  test("upgrade: players who are sent away without a word", async (t) => {
    const settings = { ...wrong("rude"), DURATION_S: 2, NEWCOMERS_PER_S: 0, MOVES: 0 };
    await finds(t, "upgrade", settings, /cut_off: /);
  });

  test("dns: an address that is wrong for the place", async (t) => {
    const server = createSocket("udp4");
    // The question itself as the answer: there is no address in it.
    server.on("message", (message, { port, address }) => server.send(message, port, address));
    server.bind(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const gateway = await startDnsGateway({ host: "127.0.0.1", port: server.address().port });
    t.after(() => gateway.stop());
    const settings = { DNS_URL: gateway.url, RATE: 5, DURATION_S: 1 };
    await finds(t, "dns", settings, /wrong_answer: .* no address/);
  });

  test("spike: players who wait for the room while others come", long, async (t) => {
    const way = await wayThat(t, { delayMs: () => (way.playing(1) > 4 ? SLOW_MS : 0) });
    const settings = { PLAYERS: 2, OBSERVERS: 1, DURATION_S: 4, RATE: 1, SPIKE_S: 4 };
    await finds(t, "spike", { ...settings, CORE_URL: way.CORE_URL }, /spike_echo_ms\s+✗ /);
  });

  test("soak: play that becomes slower and slower", long, async (t) => {
    const beganMs = systemClock.monotonicMs();
    const delayMs = () => (systemClock.monotonicMs() - beganMs) / 40;
    const { CORE_URL } = await wayThat(t, { delayMs });
    const settings = { PLAYERS: 2, OBSERVERS: 1, DURATION_S: 20, CORE_URL };
    await finds(t, "soak", settings, /✗ is as fast at the end/);
  });
});
