/**
 * Credential stuffing: 1,000 wrong log-ins a second from many networks, beside owners who log in and
 * players who play. Calm and attacked phases alternate in one run; what the attack costs the others is
 * the difference.
 *
 * Everything is on one machine, the attacker included: his share of its processors is in the figures.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, request } from "undici";
import { type LocalWorld, startLocalWorld } from "../../infra/local/world.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { createBots, runBots } from "../bots/crowd.ts";
import { Tally } from "../bots/tally.ts";
import { type Benchmark, percentile, rounded } from "./benchmark.ts";
import { interruption } from "./interruption.ts";
import { type LogInTarget, logInTargets } from "./log-in-targets.ts";
import { OpenLoop } from "./open-loop.ts";

const ATTACKS_PER_SECOND = 1_000;
const ATTACKS_UNDER_WAY_MAX = 2_000;
/** Attackers rent many networks: the addresses are in so many prefixes. */
const ATTACKER_PREFIXES = 64;
const OWNERS = 50;
const LOG_INS_PER_SECOND = 20;
const LOG_INS_UNDER_WAY_MAX = 500;
const PLAYERS = 20;
const SEED = 1;
const SETTLE_MS = 3_000;
const WARM_UP_MS = 2_000;
/** A node measures its event loop anew at each heartbeat. */
const LOOP_SAMPLE_MS = 500;
const LOOP_DELAY = /^meridian_region_event_loop_delay_p99_ms(?:\{[^}]*\})? ([\d.e+-]+)$/m;

interface Phase {
  readonly logInsMs: number[];
  readonly loopDelaysMs: number[];
  readonly refused: Map<string, number>;
}

export const stuffingBenchmark: Benchmark = {
  name: "stuffing",
  description: "1,000 wrong log-ins a second: what owners' log-ins and rooms notice of it",
  async run({ quick, say, target: name }) {
    const targets = logInTargets.filter((one) => name === undefined || one.name === name);
    if (targets.length === 0) throw new Error(`There is no way to log in named "${name}".`);
    const signal = interruption();
    const found: Record<string, Awaited<ReturnType<typeof measure>>> = {};
    for (const target of targets) {
      say(`the target is "${target.name}"`);
      const dir = mkdtempSync(join(tmpdir(), "meridian-stuffing-"));
      const env = { LOG_LEVEL: "error" };
      try {
        const world = await startLocalWorld({ dir, regions: 1, env, signal });
        try {
          const length = quick ? { rounds: 2, phaseMs: 3_500 } : { rounds: 6, phaseMs: 6_000 };
          found[target.name] = await measure({ world, target, say, signal, ...length });
        } finally {
          await world.stop();
        }
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    }
    return { attacksPerS: ATTACKS_PER_SECOND, ...found };
  },
};

interface Measurement {
  readonly world: LocalWorld;
  readonly target: LogInTarget;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly rounds: number;
  readonly phaseMs: number;
}

async function measure({ world, target, say, signal, rounds, phaseMs }: Measurement) {
  const { url } = world.core;
  // One after the other: each costs a hash that takes long on purpose, and all at once would be refused.
  const owners: unknown[] = [];
  while (owners.length < OWNERS) {
    signal.throwIfAborted();
    owners.push(await target.createAccount(url));
  }
  const playing = new AbortController();
  const tally = new Tally(() => systemClock.monotonicMs());
  const bots = createBots({ players: PLAYERS, url, seed: SEED, clock: systemClock, tally });
  const stays = runBots(bots, {
    arrivePerSecond: PLAYERS,
    clock: systemClock,
    signal: playing.signal,
  });
  await sleep(systemClock, SETTLE_MS);
  const calm = newPhase();
  const attacked = newPhase();
  const attacks = new Map<string, number>();
  let skipped = 0;
  const senders = attackers();
  const newAttack = () =>
    new OpenLoop({
      perSecond: ATTACKS_PER_SECOND,
      underWayMax: ATTACKS_UNDER_WAY_MAX,
      call: () => logIn(url, target, target.wrongBody(), senders.next()),
      clock: systemClock,
    });
  try {
    // The first calls of a process run code that is not compiled yet, on connections not made yet.
    await newAttack().run(WARM_UP_MS);
    for (let round = 0; round < rounds; round += 1) {
      signal.throwIfAborted();
      await runPhase(calm, { world, target, owners, phaseMs });
      const attack = newAttack();
      await Promise.all([
        attack.run(phaseMs),
        runPhase(attacked, { world, target, owners, phaseMs }),
      ]);
      for (const [outcome, count] of attack.outcomes) add(attacks, outcome, count);
      skipped += attack.skipped;
      say(`round ${round + 1}: ${summary("calm", calm)}; ${summary("attacked", attacked)}`);
    }
  } finally {
    playing.abort();
    await Promise.all([stays, senders.close()]);
  }
  return {
    attacks: Object.fromEntries(attacks),
    attacksSkipped: skipped,
    logInP50Ms: both(calm, attacked, ({ logInsMs }) => percentile(logInsMs, 50)),
    logInP99Ms: both(calm, attacked, ({ logInsMs }) => percentile(logInsMs, 99)),
    logInsRefused: both(calm, attacked, ({ refused }) => sum(refused)),
    tickDelayP99Ms: both(calm, attacked, ({ loopDelaysMs }) => percentile(loopDelaysMs, 50)),
    tickDelayWorstP99Ms: both(calm, attacked, ({ loopDelaysMs }) => percentile(loopDelaysMs, 100)),
    disconnects: tally.disconnects,
  };
}

interface PhaseOptions extends Pick<Measurement, "world" | "target" | "phaseMs"> {
  readonly owners: readonly unknown[];
}

/** Owners log in, and the region is watched. */
async function runPhase(phase: Phase, { world, target, owners, phaseMs }: PhaseOptions) {
  let turn = 0;
  const loop = new OpenLoop({
    perSecond: LOG_INS_PER_SECOND,
    underWayMax: LOG_INS_UNDER_WAY_MAX,
    call: () => {
      turn += 1;
      return logIn(world.core.url, target, owners[turn % owners.length]);
    },
    clock: systemClock,
  });
  const over = new AbortController();
  const watching = watchRegion(world, phase.loopDelaysMs, over.signal);
  await loop.run(phaseMs);
  over.abort();
  await watching;
  phase.logInsMs.push(...loop.latenciesMs);
  for (const [outcome, count] of loop.outcomes) {
    if (outcome !== "200") add(phase.refused, outcome, count);
  }
}

async function watchRegion(
  world: LocalWorld,
  delaysMs: number[],
  signal: AbortSignal,
): Promise<void> {
  const [region] = world.regions.values();
  while (region && !signal.aborted) {
    const { body } = await request(`${region.privateUrl}/metrics`);
    const found = LOOP_DELAY.exec(await body.text());
    if (found) delaysMs.push(Number(found[1]));
    await sleep(systemClock, LOOP_SAMPLE_MS, signal);
  }
}

/** @returns the status of the answer */
async function logIn(
  url: string,
  { route }: LogInTarget,
  body: unknown,
  dispatcher?: Agent,
): Promise<string> {
  const answer = await request(url + route, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(dispatcher && { dispatcher }),
  });
  await answer.body.dump();
  return String(answer.statusCode);
}

/** Connections from an address in each prefix, in turn. Only Linux has all of 127.0.0.0/8. */
function attackers() {
  const agents = Array.from({ length: ATTACKER_PREFIXES }, (_, index) => {
    const localAddress = process.platform === "linux" ? `127.66.${index}.1` : "127.0.0.1";
    return new Agent({ localAddress, connections: 8 });
  });
  let turn = 0;
  return {
    next(): Agent | undefined {
      turn += 1;
      return agents[turn % agents.length];
    },
    close: () => Promise.all(agents.map((agent) => agent.destroy())),
  };
}

function newPhase(): Phase {
  return { logInsMs: [], loopDelaysMs: [], refused: new Map() };
}

function summary(name: string, { logInsMs, loopDelaysMs }: Phase): string {
  const logIn = rounded(percentile(logInsMs, 99));
  return `${name}: log-in p99 ${logIn} ms, tick delay p99 ${rounded(percentile(loopDelaysMs, 50))} ms`;
}

function both(calm: Phase, attacked: Phase, read: (phase: Phase) => number) {
  return { calm: rounded(read(calm)), attacked: rounded(read(attacked)) };
}

function add(counts: Map<string, number>, key: string, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
