/**
 * A world of two regions: one that the herd is in, and one that stays. The region that stays has a processor of
 * its own where there are two, as each region has machines of its own: what is measured is what the herd does to
 * it, not what the core, the database and the herd itself take of the same processor.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LocalWorld, startLocalWorld } from "../../../infra/local/world.ts";
import { Random } from "../../../region/rooms/random.ts";
import { systemClock } from "../../../shared/clock.ts";
import { waitFor } from "../../followed/followed-world.ts";
import { LeanPool } from "../lean-pool.ts";
import { PlayerMint } from "../minted-players.ts";
import type { TickLine } from "../overload/region-games.ts";
import { allowedProcessors, moveTo } from "../processors.ts";
import { LightPlayer } from "./light-player.ts";

const GAMES_FILE = fileURLToPath(import.meta.resolve("./herd-games.ts"));
const RESTART_DELAY_MS = 3_600_000;
const HERD_REGIONS = 2;
/** Calls that wait for the core's decision take one each. */
const CONNECTIONS_MAX = 8_000;
/** So that the core is never asked for more than it answers in time: how they come in is not what is measured. */
const JOINS_AT_ONCE = 32;
const ENTERED_WITHIN_MS = 60_000;
const UNLIMITED = "100000";

export interface HerdWorld {
  readonly world: LocalWorld;
  /** Where the herd is, and where it goes. */
  readonly lost: string;
  readonly survivor: string;
  /** So many more players join that game; resolves when all are in. */
  join(count: number, game: string, region: string): Promise<readonly LightPlayer[]>;
  /** How late ticks of the survivor's residents were that began between two moments of the wall's clock, ms. */
  latenesses(fromMs: number, toMs: number): readonly number[];
  stop(): Promise<void>;
}

export async function startHerdWorld(dir: string, signal: AbortSignal): Promise<HerdWorld> {
  const [own, others] = allowedProcessors();
  if (others !== undefined) moveTo(others);
  const ticksFile = join(dir, "ticks");
  const world = await startLocalWorld({
    dir,
    regions: HERD_REGIONS,
    pages: false,
    restartDelayMs: RESTART_DELAY_MS,
    signal,
    env: {
      GAMES_FILE,
      HERD_TICKS_FILE: ticksFile,
      LOG_LEVEL: "warn",
      CONNECTIONS_MAX: "20000",
      REGION_CAPACITY: "20000",
      ADMISSION_HEADROOM: "0",
      ADMISSIONS_PER_SECOND: UNLIMITED,
      ADMISSIONS_BURST: UNLIMITED,
    },
  });
  try {
    const [lost = "", survivor = ""] = world.regions.keys();
    const survivorPid = [...world.regions.values()][1]?.pid;
    if (own !== undefined && others !== undefined && survivorPid !== undefined) {
      moveTo(own, survivorPid);
    }
    const masterKey = Buffer.from(readFileSync(join(dir, "master-key"), "utf8").trim(), "base64");
    const mint = await PlayerMint.open(world.databaseUrl, masterKey);
    const pool = new LeanPool(world.core.url, CONNECTIONS_MAX);
    const all: LightPlayer[] = [];
    return {
      world,
      lost,
      survivor,
      async join(count, game, region) {
        const random = Random.fromSeed(all.length);
        const common = { pool, game, region, clock: systemClock, random: () => random.float() };
        const minted = await mint.make(count);
        const players = minted.map(
          ({ accessToken }) => new LightPlayer({ ...common, accessToken }),
        );
        all.push(...players);
        let entering: readonly LightPlayer[] = [];
        const fewerThan = (most: number) =>
          waitFor({
            withinMs: ENTERED_WITHIN_MS,
            signal,
            wrong: async () => {
              entering = entering.filter(({ connection }) => connection.phase !== "playing");
              const [first] = entering;
              if (!first || entering.length < most) return undefined;
              return `${entering.length} are not in: ${JSON.stringify(first.connection)}`;
            },
          });
        for (const player of players) {
          player.join();
          entering = [...entering, player];
          if (entering.length >= JOINS_AT_ONCE) await fewerThan(JOINS_AT_ONCE);
        }
        await fewerThan(1);
        return players;
      },
      latenesses(fromMs, toMs) {
        const lines = readFileSync(`${ticksFile}-${survivor}`, "utf8").trim().split("\n");
        return lines.flatMap((text) => {
          const { atMs, latenessesMs } = JSON.parse(text) as TickLine;
          return atMs > fromMs && atMs <= toMs ? latenessesMs : [];
        });
      },
      async stop() {
        for (const player of all) player.end();
        pool.stop();
        await mint.close();
        await world.stop();
      },
    };
  } catch (error) {
    await world.stop();
    throw error;
  }
}
