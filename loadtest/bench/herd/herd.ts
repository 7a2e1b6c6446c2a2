/**
 * Thousands lose their region at once. They all ask the core, as the SDK does, and are let into the neighbour: in
 * step or spread, and does anybody who plays there notice?
 *
 * The herd's rooms are silent, so that what comes over the survivor is the arrival alone: claims, restored rooms,
 * tickets, first states. The residents' rooms are those of `rooms`: everybody runs about, all the time.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sleep, systemClock } from "../../../shared/clock.ts";
import { unprotectedRooms, waitFor } from "../../followed/followed-world.ts";
import { type Benchmark, percentile, rounded } from "../benchmark.ts";
import { interruption } from "../interruption.ts";
import { messageFrame } from "../lean-socket.ts";
import { TICK_MS } from "../rooms/game.ts";
import { FIRST_INPUT, INPUT_FRAME_BYTES, writeInput } from "../rooms/input-frame.ts";
import { bucketMaxOverMean } from "./arrivals.ts";
import { type HerdWorld, startHerdWorld } from "./herd-world.ts";
import type { LightPlayer } from "./light-player.ts";
import { HERD_GAME, RESIDENT_GAME } from "./names.ts";

const CLIENTS = 5_000;
const CLIENTS_QUICK = 500;
const RESIDENTS = 200;
const INPUT_EVERY_MS = 1_000;
const PROTECTED_WITHIN_MS = 30_000;
const REST_MS = 4_000;
const BASELINE_MS = 12_000;
const BASELINE_QUICK_MS = 6_000;
/** As long as the SDK seeks the way back. */
const BACK_WITHIN_MS = 40_000;
/** Ticks are told once a second. */
const TICKS_TOLD_MS = 1_500;
const FULL_TURN = 2 * Math.PI;

export const herdBenchmark: Benchmark = {
  name: "herd",
  description: "thousands lose their region at once: how they spread, who notices in the neighbour",
  goals: [
    {
      figure: "arrivalBucketMaxOverMean",
      words: "arrivals in the fullest 100 ms against the mean",
      atMost: 2,
      fullOnly: true,
    },
    {
      figure: "survivorTickP99ChangePct",
      words: "longer ticks of the residents, p99",
      unit: "%",
      atMost: 10,
      fullOnly: true,
    },
  ],
  async run({ quick, say }) {
    const signal = interruption();
    const dir = mkdtempSync(join(tmpdir(), "meridian-herd-"));
    try {
      const herd = await startHerdWorld(dir, signal);
      try {
        const residents = await herd.join(RESIDENTS, RESIDENT_GAME, herd.survivor);
        const stopInputs = keepPlaying(residents);
        try {
          const count = quick ? CLIENTS_QUICK : CLIENTS;
          const clients = await herd.join(count, HERD_GAME, herd.lost);
          say(
            `${clients.length} clients are in ${herd.lost}, ${residents.length} in ${herd.survivor}`,
          );
          const baselineMs = quick ? BASELINE_QUICK_MS : BASELINE_MS;
          return await strike(herd, clients, { baselineMs, say, signal });
        } finally {
          stopInputs();
        }
      } finally {
        await herd.stop();
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

interface Striking {
  readonly baselineMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

async function strike(
  herd: HerdWorld,
  clients: readonly LightPlayer[],
  { baselineMs, say, signal }: Striking,
) {
  await waitFor({
    withinMs: PROTECTED_WITHIN_MS,
    signal,
    async wrong() {
      const rooms = await unprotectedRooms(herd.world);
      return rooms > 0 ? `${rooms} rooms have no copy` : undefined;
    },
  });
  await sleep(systemClock, REST_MS, signal);
  const fromMs = Date.now();
  await sleep(systemClock, baselineMs, signal);
  const lostMs = systemClock.monotonicMs();
  const lostWallMs = Date.now();
  for (const [id, region] of herd.world.regions) if (id === herd.lost) region.kill("SIGKILL");
  await allBack(clients, signal);
  const tookMs = systemClock.monotonicMs() - lostMs;
  const backWallMs = Date.now();
  await sleep(systemClock, TICKS_TOLD_MS, signal);
  const back = clients.flatMap(({ entries }) => {
    const entry = entries.find(({ openedMs }) => openedMs > lostMs);
    return entry ? [entry] : [];
  });
  const before = TICK_MS + percentile(herd.latenesses(fromMs, lostWallMs), 99);
  const during = TICK_MS + percentile(herd.latenesses(lostWallMs, backWallMs + TICKS_TOLD_MS), 99);
  const arrivedMs = back.map(({ openedMs }) => openedMs - lostMs);
  const enteredMs = back.map((entry) => entry.enteredMs - lostMs);
  say(`${back.length} of ${clients.length} are back, the last after ${rounded(tookMs)} ms`);
  return {
    clients: clients.length,
    resumedPct: rounded((100 * back.length) / clients.length),
    arrivalBucketMaxOverMean: rounded(bucketMaxOverMean(arrivedMs)),
    arrivalP50Ms: rounded(percentile(arrivedMs, 50)),
    arrivalP99Ms: rounded(percentile(arrivedMs, 99)),
    enteredP99Ms: rounded(percentile(enteredMs, 99)),
    survivorTickP99Ms: { before: rounded(before), during: rounded(during) },
    survivorTickP99ChangePct: rounded((during / before - 1) * 100),
  };
}

/** Whoever is not back in time is one of the figures. */
async function allBack(clients: readonly LightPlayer[], signal: AbortSignal): Promise<void> {
  const isBack = ({ connection, entries }: LightPlayer) =>
    connection.phase === "playing" ? entries.length > 1 : connection.phase === "lost";
  const wrong = async () => {
    const away = clients.filter((client) => !isBack(client)).length;
    return away > 0 ? `${away} are away` : undefined;
  };
  try {
    await waitFor({ withinMs: BACK_WITHIN_MS, signal, wrong });
  } catch (error) {
    if (signal.aborted) throw error;
  }
}

/** @returns what ends it */
function keepPlaying(players: readonly LightPlayer[]): () => void {
  let input = FIRST_INPUT;
  return systemClock.every(INPUT_EVERY_MS, () => {
    input += 1;
    for (const player of players) {
      const payload = Buffer.allocUnsafe(INPUT_FRAME_BYTES);
      writeInput(payload, 0, { input, facing: Math.random() * FULL_TURN });
      player.send(messageFrame(payload));
    }
  });
}
