/** What players are sent to: a whole Meridian of one region, or stock Colyseus, on a processor of their own. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LocalWorld, startLocalWorld } from "../../../infra/local/world.ts";
import { sleep, systemClock } from "../../../shared/clock.ts";
import { RegionsAnswer } from "../../../shared/protocol/join.ts";
import { LeanPool } from "../lean-pool.ts";
import { type MintedPlayer, PlayerMint } from "../minted-players.ts";
import { treeCpuSeconds } from "../process-cpu.ts";
import { moveTo } from "../processors.ts";
import { Child } from "../rooms/child.ts";
import { ColyseusDoor, type Door, MeridianDoor } from "./door.ts";
import type { TickLine } from "./region-games.ts";

const GAMES_FILE = fileURLToPath(import.meta.resolve("./region-games.ts"));
const ACTIVE_DEADLINE_MS = 20_000;
const POLL_MS = 100;
/** Held polls take one each for some seconds. */
const CONNECTIONS_MAX = 6_000;

export interface Processors {
  readonly servers: number;
  readonly generator: number;
}

export interface Server {
  readonly name: string;
  readonly door: Door;
  makePlayers(count: number): Promise<readonly MintedPlayer[]>;
  /** How late ticks were that began between two moments of the wall's clock, ms. */
  latenesses(fromMs: number, toMs: number): Promise<readonly number[]>;
  /** CPU time so far, s, by process; empty where the system does not tell. */
  cpuSeconds(): ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

/** Of the region, and of who is let in; none: nothing is held back. */
export interface Protection {
  readonly admissionsPerSecond: number;
  /** At once. */
  readonly burst: number;
  readonly capacity: number;
}

const UNLIMITED = "100000";

export interface MeridianOptions {
  /** Kept from one start to the next. */
  readonly dir: string;
  readonly protection: Protection | undefined;
  readonly processors: Processors;
  readonly signal: AbortSignal;
}

export async function startMeridian(options: MeridianOptions): Promise<Server> {
  const { dir, protection, processors, signal } = options;
  mkdirSync(dir, { recursive: true });
  const ticksFile = join(dir, "ticks.jsonl");
  const env: Record<string, string> = {
    LOG_LEVEL: "warn",
    GAMES_FILE,
    TICKS_FILE: ticksFile,
    CONNECTIONS_MAX: "20000",
    REGION_CAPACITY: protection ? String(protection.capacity) : UNLIMITED,
    ADMISSIONS_PER_SECOND: protection ? String(protection.admissionsPerSecond) : UNLIMITED,
    ADMISSIONS_BURST: protection ? String(protection.burst) : UNLIMITED,
    ...(!protection && { OVERLOAD_LOOP_DELAY_MS: "0" }),
  };
  const world = await onProcessors(processors, () =>
    startLocalWorld({ dir, regions: 1, pages: false, env, signal }),
  );
  try {
    return await serving(world, options, ticksFile);
  } catch (error) {
    await world.stop();
    throw error;
  }
}

async function serving(
  world: LocalWorld,
  { dir, signal }: MeridianOptions,
  ticksFile: string,
): Promise<Server> {
  const { url } = world.core;
  await regionActive(url, signal);
  const masterKey = Buffer.from(readFileSync(join(dir, "master-key"), "utf8").trim(), "base64");
  const mint = await PlayerMint.open(world.databaseUrl, masterKey);
  const pool = new LeanPool(url, CONNECTIONS_MAX);
  const [region] = world.regions.values();
  const [redis] = world.redis.values();
  const processes = { core: world.core, region, postgres: world.postgres, redis };
  return {
    name: "meridian",
    door: new MeridianDoor(pool),
    makePlayers: (count) => mint.make(count),
    async latenesses(fromMs, toMs) {
      const lines = readFileSync(ticksFile, "utf8").trim().split("\n");
      return lines.flatMap((text) => {
        const { atMs, latenessesMs } = JSON.parse(text) as TickLine;
        return atMs > fromMs && atMs <= toMs ? latenessesMs : [];
      });
    },
    cpuSeconds: () =>
      new Map(
        Object.entries(processes).flatMap(([name, handle]) => {
          const seconds = handle?.pid === undefined ? undefined : treeCpuSeconds(handle.pid);
          return seconds === undefined ? [] : [[name, seconds] as const];
        }),
      ),
    async stop() {
      pool.stop();
      await mint.close();
      await world.stop();
    },
  };
}

/** With its defaults. */
export async function startColyseus(processors: Processors): Promise<Server> {
  const child = await onProcessors(processors, async () => {
    return new Child("colyseus-ws-server.ts", systemClock);
  });
  const port = await child.ask<number>("start");
  const pool = new LeanPool(`http://127.0.0.1:${port}`, CONNECTIONS_MAX);
  const lines: TickLine[] = [];
  const stopReading = systemClock.every(1_000, () => {
    // One that is late is asked again with the next.
    child.ask<number[]>("takeLatenesses").then(
      (latenessesMs) => lines.push({ atMs: Date.now(), latenessesMs }),
      () => {},
    );
  });
  return {
    name: "colyseus",
    door: new ColyseusDoor(pool, port),
    makePlayers: async (count) => new Array(count).fill({ playerId: "", accessToken: "" }),
    latenesses: async (fromMs, toMs) =>
      lines.flatMap(({ atMs, latenessesMs }) =>
        atMs > fromMs && atMs <= toMs ? latenessesMs : [],
      ),
    cpuSeconds: () => new Map([["colyseus", treeCpuSeconds(child.pid) ?? Number.NaN]]),
    async stop() {
      stopReading();
      pool.stop();
      await child.end();
    },
  };
}

/** What is started meanwhile inherits where this process runs. */
async function onProcessors<T>(
  { servers, generator }: Processors,
  start: () => Promise<T>,
): Promise<T> {
  moveTo(servers);
  try {
    return await start();
  } finally {
    moveTo(generator);
  }
}

async function regionActive(url: string, signal: AbortSignal): Promise<void> {
  const endMs = systemClock.monotonicMs() + ACTIVE_DEADLINE_MS;
  while (systemClock.monotonicMs() < endMs && !signal.aborted) {
    const answer = await fetch(`${url}/v1/regions`);
    const { regions } = RegionsAnswer.parse(await answer.json());
    if (regions.every(({ state }) => state === "active")) return;
    await sleep(systemClock, POLL_MS);
  }
  throw new Error("the region did not become active");
}
