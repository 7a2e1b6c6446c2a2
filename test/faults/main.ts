/** `npm run faults`: a world of its own, in which one part after another fails. */

import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalWorld, type WorldOptions } from "../../infra/local/world.ts";
import { watchInterrupts } from "../../loadtest/bots/interrupts.ts";
import { systemClock } from "../../shared/clock.ts";
import { allRegionsActive } from "../world.ts";
import { rejectedBy } from "./called-off.ts";
import {
  type CampaignOptions,
  type CampaignResult,
  FaultFailure,
  runCampaign,
  WORLD_OPTIONS,
} from "./campaign.ts";
import { nobodyLeft } from "./checks.ts";
import { DISASTER_KINDS, FAULT_KINDS, inSeconds, planFaults } from "./fault.ts";
import { type FaultsOptions, parseFaultsOptions, SEED_MAX, USAGE } from "./options.ts";
import { followPlayers } from "./players/follow-players.ts";
import type { Outcome } from "./waves.ts";

const PLAYERS_PER_REGION = 3;
/** Each makes up to ten operations a second. */
const TRADERS_PER_REGION = 4;
/** Only the campaign itself starts parts again. */
const RESTART_DELAY_MS = 3_600_000;
/** Cores that are struck end by themselves, and are started again by whoever runs them. */
const SUPERVISED: Partial<WorldOptions> = { cores: 2, standby: true, restartDelayMs: 1_000 };
/** As a shell reports an end by Ctrl-C. */
const EXIT_INTERRUPTED = 130;

async function main(options: FaultsOptions): Promise<number> {
  const { kills, regions, players, disasters, seed = randomInt(SEED_MAX) } = options;
  const dir = mkdtempSync(join(tmpdir(), "meridian-faults-"));
  const stop = stopSignals();
  try {
    if (players !== undefined) {
      const kept = await followPlayers({ ...options, players, seed, dir, ...stop });
      if (kept) rmSync(dir, { recursive: true, force: true });
      else console.error(`✗ promises were broken; the world's logs are in ${join(dir, "logs")}`);
      return kept ? 0 : 1;
    }
    console.log(`seed ${seed}: ${kills} faults in a world of ${regions} regions`);
    const world = await startLocalWorld({
      dir,
      regions,
      restartDelayMs: RESTART_DELAY_MS,
      ...WORLD_OPTIONS,
      ...(disasters && SUPERVISED),
      ...stop,
    });
    try {
      await allRegionsActive(world);
      const faults = planFaults({
        seed,
        count: kills,
        regionIds: [...world.regions.keys()],
        kinds: disasters ? DISASTER_KINDS : FAULT_KINDS,
      });
      const campaign = runToTheEnd({
        world,
        faults,
        playersPerRegion: PLAYERS_PER_REGION,
        tradersPerRegion: TRADERS_PER_REGION,
        seed,
        say: (line) => console.log(line),
      });
      const { outcomes } = await Promise.race([campaign, rejectedBy(stop.signal)]);
      console.log(summaryText(outcomes, seed));
    } finally {
      await world.stop();
    }
    rmSync(dir, { recursive: true, force: true });
    return 0;
  } catch (error) {
    if (stop.signal.aborted) {
      rmSync(dir, { recursive: true, force: true });
      console.log("called off");
      return EXIT_INTERRUPTED;
    }
    console.error(`✗ ${error instanceof Error ? error.message : error}`);
    console.error(`  the world's logs are in ${join(dir, "logs")}`);
    if (error instanceof FaultFailure) {
      const strikes = disasters ? "--disasters " : "";
      const options = `${strikes}--seed ${seed} --kills ${error.number} --regions ${regions}`;
      console.error(`  npm run faults -- ${options}  repeats it`);
    }
    return 1;
  }
}

/** Also waits for the seats of players who were driven away: none may be held for good. */
async function runToTheEnd(campaign: CampaignOptions): Promise<CampaignResult> {
  const result = await runCampaign(campaign);
  await nobodyLeft(campaign.world);
  return result;
}

function stopSignals(): { readonly signal: AbortSignal; readonly killSignal: AbortSignal } {
  const stop = new AbortController();
  const kill = new AbortController();
  watchInterrupts({
    source: process,
    clock: systemClock,
    onAsked: () => stop.abort(),
    onForced: () => kill.abort(),
  });
  // The start-up script is gone: nobody reads the result any more.
  process.on("disconnect", () => stop.abort());
  return { signal: stop.signal, killSignal: kill.signal };
}

function summaryText(outcomes: readonly Outcome[], seed: number): string {
  const kinds = new Set([...FAULT_KINDS, ...DISASTER_KINDS]);
  const rows = [...kinds].flatMap((kind) => {
    const took = outcomes.filter(({ fault }) => fault.kind === kind).map(({ tookMs }) => tookMs);
    if (took.length === 0) return [];
    const most = inSeconds(Math.max(...took));
    return [`  ${kind.padEnd(15)}${String(took.length).padStart(6)}  at play again within ${most}`];
  });
  return [`every invariant held over ${outcomes.length} faults; seed ${seed}`, ...rows].join("\n");
}

let options: FaultsOptions;
try {
  options = parseFaultsOptions(process.argv.slice(2));
} catch (error) {
  const line = error instanceof Error ? error.message : String(error);
  console.error(`✗ ${line}\n  npm run faults -- --help lists the options`);
  process.exit(2);
}
if (options.help) console.log(USAGE);
// Explicit, because a campaign that was called off may still wait for something.
else process.exit(await main(options));
