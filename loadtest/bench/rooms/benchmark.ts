/**
 * Room fan-out: 1,000 players, 50 a room, who each send 20 inputs and get 20 patches a second. A region
 * node of ours, a bare uWebSockets.js loop with the same traffic, and stock Colyseus on `ws` with the
 * same game take turns in one run; the others are frozen meanwhile.
 *
 * - `cpuPerPlayerUs`: user and system time of the server's own process, all its threads, in µs per player
 *   and second; median over the rounds. Players are in other processes, and joining is not measured.
 * - `ratioToBareUws`, `ratioToColyseusWs`: ours over theirs, of those medians.
 * - `bytesPerPlayerPerS`: what our node sent to a player, heads of websocket frames included; the run
 *   fails when another contender's differs by more than `BYTES_APART_MAX`.
 * - `tickP99Ms`: 99th percentile over all rooms' ticks of how much later than one period after the tick
 *   before it a tick of ours began.
 * - `rssPerPlayerKb`: what the resident memory of our node has grown by from its start to the end of the
 *   run, with everybody in, per player.
 */
import { TestCore } from "../../../region/link/test-core.ts";
import { systemClock } from "../../../shared/clock.ts";
import { watchInterrupts } from "../../bots/interrupts.ts";
import { type Benchmark, median, percentile, rounded } from "../benchmark.ts";
import { bareUws, type ContenderName, colyseusWs, meridian } from "./contenders.ts";
import { Entrant, type Turn, type Window } from "./entrant.ts";
import { PLAYERS, RATE_HZ } from "./game.ts";

const SEED = 1;
/** Of the patches and of the inputs that a window should have; other work of the machine takes away. */
const TRAFFIC_SHARE_MIN = 0.92;
/** A busy spell outlasts these; another round may fall outside of it. */
const TURN_REPEATS_MAX = 2;
const BYTES_APART_MAX = 0.08;

interface Plan {
  readonly rounds: number;
  /** So many windows are measured anew at most, because the machine had other work, */
  readonly repeatsMax: number;
  /** and none once the run has taken so long. */
  readonly repeatsUntilMs: number;
  /** Code is not compiled yet at first. */
  readonly warmUp: Turn;
  readonly turn: Turn;
}

const FULL: Plan = {
  rounds: 9,
  repeatsMax: 12,
  repeatsUntilMs: 300_000,
  warmUp: { settleMs: 5_000, windowMs: 1_000 },
  turn: { settleMs: 1_000, windowMs: 5_000 },
};
const QUICK: Plan = {
  rounds: 3,
  repeatsMax: 6,
  repeatsUntilMs: 34_000,
  warmUp: { settleMs: 2_000, windowMs: 500 },
  turn: { settleMs: 400, windowMs: 1_600 },
};

type Results = ReadonlyMap<ContenderName, readonly Window[]>;
type Say = (line: string) => void;

export const roomsBenchmark: Benchmark = {
  name: "rooms",
  description: "1,000 players at 20 Hz: a region node, a bare uWebSockets.js loop, Colyseus on ws",
  goals: [
    {
      figure: "ratioToBareUws",
      words: "CPU of a node against a bare uWebSockets.js loop",
      atMost: 1.15,
    },
    { figure: "ratioToColyseusWs", words: "CPU of a node against Colyseus on ws", atMost: 0.75 },
  ],
  async run({ quick, say }) {
    const called = new AbortController();
    const core = await TestCore.start();
    const entrants = [meridian(core), bareUws, colyseusWs].map((contender) => {
      const { signal } = called;
      return new Entrant({ contender, seed: SEED, clock: systemClock, signal });
    });
    const end = () => Promise.all(entrants.map((entrant) => entrant.end()));
    const interrupted = () => {
      called.abort(new Error("interrupted"));
      void end();
    };
    watchInterrupts({
      source: process,
      clock: systemClock,
      onAsked: interrupted,
      onForced: interrupted,
    });
    try {
      return await compare(entrants, quick ? QUICK : FULL, say);
    } finally {
      await end();
      await core.stop();
    }
  },
};

async function compare(entrants: readonly Entrant[], plan: Plan, say: Say) {
  const startedMs = performance.now();
  for (const entrant of entrants) {
    await entrant.fill();
    await entrant.measure(plan.warmUp);
    say(`${entrant.name}: ${PLAYERS} players are in`);
  }
  const results = new Map<ContenderName, Window[]>(entrants.map(({ name }) => [name, []]));
  const repeatsEndMs = startedMs + plan.repeatsUntilMs;
  let repeatsLeft = plan.repeatsMax;
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const entrant of rotated(entrants, round)) {
      let window = await entrant.measure(plan.turn);
      for (let repeats = 0; repeats < TURN_REPEATS_MAX && !flowed(window); repeats += 1) {
        if (repeatsLeft === 0 || performance.now() >= repeatsEndMs) break;
        repeatsLeft -= 1;
        say(`measured anew: ${entrant.name} had ${described(window)}`);
        window = await entrant.measure(plan.turn);
      }
      if (flowed(window)) results.get(entrant.name)?.push(window);
      say(`round ${round + 1}: ${entrant.name} ${described(window)}`);
    }
  }
  const ours = entrants.find(({ name }) => name === "meridian");
  return figures(results, (await ours?.rssPerPlayerKb()) ?? Number.NaN);
}

/** Whether the server and the crowd got the time that the traffic takes. */
function flowed({ patchesPerPlayerPerS, inputsPerPlayerPerS }: Window): boolean {
  const perSMin = RATE_HZ * TRAFFIC_SHARE_MIN;
  return patchesPerPlayerPerS >= perSMin && inputsPerPlayerPerS >= perSMin;
}

/** Nobody is always the first to run after the same other. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

function described({ cpuPerPlayerUs, patchesPerPlayerPerS }: Window): string {
  const patches = rounded(patchesPerPlayerPerS);
  return `${rounded(cpuPerPlayerUs)} µs per player and second, ${patches} patches a second`;
}

/** @throws when the contenders did not have the same traffic, or one never had all of it */
function figures(results: Results, rssPerPlayerKb: number) {
  for (const [name, windows] of results) {
    if (windows.length === 0)
      throw new Error(`${name} never had its traffic: is the machine busy?`);
  }
  const medians = (read: (window: Window) => number) => {
    const of = (name: ContenderName) => median((results.get(name) ?? []).map(read));
    const [meridian, bareUws, colyseusWs] = [of("meridian"), of("bareUws"), of("colyseusWs")];
    return { meridian, bareUws, colyseusWs };
  };
  const cpu = medians(({ cpuPerPlayerUs }) => cpuPerPlayerUs);
  const bytes = medians(({ bytesPerPlayerPerS }) => bytesPerPlayerPerS);
  const patches = medians(({ patchesPerPlayerPerS }) => patchesPerPlayerPerS);
  const inputs = medians(({ inputsPerPlayerPerS }) => inputsPerPlayerPerS);
  for (const [name, sent] of Object.entries(bytes)) {
    if (Math.abs(sent / bytes.meridian - 1) <= BYTES_APART_MAX) continue;
    throw new Error(`not the same traffic: ${JSON.stringify(bytes)} bytes per player, ${name}`);
  }
  const latenessesMs = (results.get("meridian") ?? []).flatMap((window) => window.latenessesMs);
  return {
    players: PLAYERS,
    cpuPerPlayerUs: all(cpu),
    ratioToBareUws: rounded(cpu.meridian / cpu.bareUws),
    ratioToColyseusWs: rounded(cpu.meridian / cpu.colyseusWs),
    bytesPerPlayerPerS: Math.round(bytes.meridian),
    tickP99Ms: rounded(percentile(latenessesMs, 99)),
    rssPerPlayerKb: rounded(rssPerPlayerKb),
    traffic: {
      bytesPerPlayerPerS: all(bytes),
      patchesPerPlayerPerS: all(patches),
      inputsPerPlayerPerS: all(inputs),
    },
  };
}

function all(values: Readonly<Record<ContenderName, number>>): Record<ContenderName, number> {
  const { meridian, bareUws, colyseusWs } = values;
  return {
    meridian: rounded(meridian),
    bareUws: rounded(bareUws),
    colyseusWs: rounded(colyseusWs),
  };
}
