/**
 * A campaign: one fault after another in a running world with players in it. Around each fault stand
 * the same steps, and the first invariant that does not hold ends it all:
 *
 *     all at home → strike: fault, told, noticed, at play again → repair → all play, sessions settle
 */
import type { LocalRegionHandle, LocalWorld } from "../../infra/local/world.ts";
import { SUSPECT_AFTER_MS } from "../../shared/client/connection-step.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import { GRACE_MS } from "../../shared/protocol/link.ts";
import * as checks from "./checks.ts";
import { type Fault, faultText, inSeconds } from "./fault.ts";
import { type WatchedPlayer, WatchedPlayers } from "./watched-players.ts";

export interface CampaignOptions {
  readonly world: LocalWorld;
  readonly faults: readonly Fault[];
  readonly playersPerRegion: number;
  /** Of the players' dice. */
  readonly seed: number;
  /** Told one line for each fault that was survived. */
  readonly say: (line: string) => void;
}

/** What became of one fault. */
export interface Outcome {
  readonly fault: Fault;
  /** How many players it concerned. */
  readonly hit: number;
  /** From the fault until all of them were at play again, ms. */
  readonly tookMs: number;
}

/** A fault that broke an invariant, or could not be repaired. */
export class FaultFailure extends Error {
  /** From 1. */
  readonly number: number;

  constructor(fault: Fault, number: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`fault ${number} (${faultText(fault)}): ${why}`, { cause });
    this.name = "FaultFailure";
    this.number = number;
  }
}

/** @throws {FaultFailure} at the first fault that the world did not survive as it should */
export async function runCampaign(options: CampaignOptions): Promise<Outcome[]> {
  const { world, faults, playersPerRegion: perRegion, seed, say } = options;
  const regionIds = [...world.regions.keys()];
  const players = new WatchedPlayers({ url: world.core.url, regionIds, perRegion, seed });
  const end = new AbortController();
  const played = players.run(end.signal);
  const outcomes: Outcome[] = [];
  try {
    for (const [index, fault] of faults.entries()) {
      const number = index + 1;
      try {
        const outcome = await survive(fault, world, players);
        outcomes.push(outcome);
        say(`${number}/${faults.length} ${outcomeText(outcome)}`);
      } catch (cause) {
        throw new FaultFailure(fault, number, cause);
      }
    }
  } finally {
    end.abort();
    await played;
  }
  await checks.sessionsSettle(world, []);
  return outcomes;
}

function outcomeText({ fault, hit, tookMs }: Outcome): string {
  return `${faultText(fault)}: ${hit} players hit, at play again after ${inSeconds(tookMs)}`;
}

interface Scene {
  readonly world: LocalWorld;
  readonly players: WatchedPlayers;
  /** Those whom the fault concerns; all others must not notice. */
  readonly hit: readonly WatchedPlayer[];
}

async function survive(fault: Fault, world: LocalWorld, players: WatchedPlayers): Promise<Outcome> {
  await bringHome(players);
  for (const player of players.all) player.forget();
  const hit = fault.kind === "kill-core" ? players.oneOfEachRegion : players.in(fault.regionId);
  const others = players.all.filter((player) => !hit.includes(player));
  const beganMs = systemClock.monotonicMs();
  await strike(fault, { world, players, hit });
  const tookMs = systemClock.monotonicMs() - beganMs;
  await repair(world);
  players.closed.clear();
  await checks.allPlay(players.all);
  checks.requireUndisturbed(others);
  await checks.sessionsSettle(world, players.all);
  return { fault, hit: hit.length, tookMs };
}

/** Whoever a former fault drove away goes back, as a player who leaves one room for another. */
async function bringHome(players: WatchedPlayers): Promise<void> {
  await checks.allPlay(players.all);
  const away = players.all.filter(({ regionId, home }) => regionId !== home);
  await Promise.all(away.map(({ bot }) => bot.leaveRoom()));
  await checks.allAtHome(players.all);
}

/** Until those who were hit play again. */
async function strike(fault: Fault, scene: Scene): Promise<void> {
  if (fault.kind === "kill-core") {
    await killCore(fault.awayMs, scene);
    return;
  }
  const { regionId } = fault;
  const { world, players, hit } = scene;
  const region = regionOf(world, regionId);
  players.closed.add(regionId);
  switch (fault.kind) {
    case "kill-region":
      region.kill("SIGKILL");
      await moved(regionId, scene);
      break;
    case "replace-region":
      region.kill("SIGKILL");
      await region.restart();
      await checks.allTold(hit);
      await checks.allPlay(hit);
      break;
    case "stop-region":
      await stopFor(fault.stoppedMs, regionId, scene);
      await checks.allPlay(hit);
      break;
    case "drain-region":
      region.kill("SIGTERM");
      await checks.ends(world, regionId);
      await moved(regionId, scene);
      break;
  }
}

/** The rooms play on; who looks for one meanwhile gets it when the core is back. */
async function killCore(awayMs: number, { world, hit }: Scene): Promise<void> {
  world.core.kill("SIGKILL");
  await Promise.all(hit.map(({ bot }) => bot.leaveRoom()));
  await sleep(systemClock, awayMs);
  await world.core.restart();
  await checks.allPlay(hit);
}

/** All who played in a region that is gone know it, and play elsewhere. */
async function moved(regionId: RegionId, { world, hit }: Scene): Promise<void> {
  await checks.allTold(hit);
  await checks.coreLists(world, regionId, ["down"]);
  await checks.allPlay(hit, regionId);
}

/** A short stop may pass unnoticed. A long one lasts until those who must notice have done so. */
async function stopFor(stoppedMs: number, regionId: RegionId, scene: Scene): Promise<void> {
  const { world, hit } = scene;
  const region = regionOf(world, regionId);
  region.kill("SIGSTOP");
  try {
    const slept = sleep(systemClock, stoppedMs);
    if (stoppedMs > SUSPECT_AFTER_MS) await checks.allTold(hit);
    if (stoppedMs > GRACE_MS) await checks.coreLists(world, regionId, ["down"]);
    await slept;
  } finally {
    region.kill("SIGCONT");
  }
}

/** Starts what is still down; the core takes every region for active then. */
async function repair(world: LocalWorld): Promise<void> {
  for (const region of world.regions.values()) {
    if (region.pid === undefined) await region.restart();
  }
  for (const id of world.regions.keys()) await checks.coreLists(world, id, ["active"]);
}

function regionOf(world: LocalWorld, regionId: RegionId): LocalRegionHandle {
  const region = world.regions.get(regionId);
  if (!region) throw new Error(`this world has no region ${regionId}`);
  return region;
}
