/** Carries one fault out, until those whom it hit play again. What is still down then, `repair` starts. */
import type { ProcessHandle } from "../../infra/local/processes.ts";
import type { LocalRegionHandle, LocalWorld } from "../../infra/local/world.ts";
import { signalProcess } from "../../infra/process/pid.ts";
import { childrenOf } from "../../loadtest/bench/process-cpu.ts";
import { SUSPECT_AFTER_MS } from "../../shared/client/silence.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import { GRACE_MS } from "../../shared/protocol/link.ts";
import * as checks from "./checks.ts";
import { repairDisasters, strikeCenter } from "./disasters.ts";
import type { Fault } from "./fault.ts";
import type { Traders } from "./value/traders.ts";
import type { WatchedPlayer, WatchedPlayers } from "./watched-players.ts";

const LOOK_PERIOD_MS = 250;

export interface Scene {
  readonly world: LocalWorld;
  readonly players: WatchedPlayers;
  readonly traders: Traders;
  /** Those whom the fault concerns; all others must not notice. */
  readonly hit: readonly WatchedPlayer[];
}

export async function strike(fault: Fault, scene: Scene): Promise<void> {
  const { world, hit } = scene;
  const { lastsMs } = fault;
  switch (fault.kind) {
    case "kill-region":
      scene.players.closed.add(fault.regionId);
      killNode(fault.regionId, scene);
      return await moved(fault.regionId, scene);
    case "replace-region":
      return await replaceRegion(fault.regionId, scene);
    case "drain-region":
      scene.players.closed.add(fault.regionId);
      regionOf(world, fault.regionId).kill("SIGTERM");
      await checks.ends(world, fault.regionId);
      return await moved(fault.regionId, scene);
    case "stop-region":
      scene.players.closed.add(fault.regionId);
      await stopRegion(fault.regionId, lastsMs, scene);
      return await checks.allPlay(hit);
    case "kill-redis":
      return await kill(ours(world.redis.get(fault.regionId)), lastsMs);
    case "stop-redis":
      return await stop(ours(world.redis.get(fault.regionId)), lastsMs);
    case "cut-link":
      return await cutLink(world, fault.regionId, lastsMs);
    case "half-open-link":
      return await halfOpenLink(world, fault.regionId, lastsMs);
    case "kill-core":
      return await killCore(lastsMs, scene);
    case "stop-core":
      return await stop(world.core, lastsMs);
    case "kill-postgres":
      return await kill(ours(world.postgres), lastsMs);
    case "stop-postgres":
      return await stop(ours(world.postgres), lastsMs);
    case "kill-leader":
    case "kill-cores":
      // Some look for a room meanwhile, and get one when the core is back.
      await Promise.all([
        strikeCenter(fault.kind, lastsMs, world),
        ...hit.map(({ bot }) => bot.leaveRoom()),
      ]);
      return await checks.allPlay(hit);
    default:
      return await strikeCenter(fault.kind, lastsMs, world);
  }
}

/** Starts what is still down; the core takes every region for active then. */
export async function repair(world: LocalWorld): Promise<void> {
  if (world.cores.length > 1) await repairDisasters(world);
  await startEnded(world);
  let isOver = false;
  const listed = eachListed(world).finally(() => {
    isOver = true;
  });
  // One that woke up and finds that it was given up ends a moment later.
  while (!isOver) {
    await Promise.race([listed, sleep(systemClock, LOOK_PERIOD_MS)]);
    if (!isOver) await startEnded(world);
  }
  await listed;
}

async function eachListed(world: LocalWorld): Promise<void> {
  for (const id of world.regions.keys()) await checks.coreLists(world, id, ["active"]);
}

async function startEnded(world: LocalWorld): Promise<void> {
  const down = [...world.regions.values()].filter(({ pid }) => pid === undefined);
  await Promise.all(down.map((region) => region.restart()));
}

async function replaceRegion(regionId: RegionId, scene: Scene): Promise<void> {
  const { world, players, hit } = scene;
  players.closed.add(regionId);
  killNode(regionId, scene);
  await regionOf(world, regionId).restart();
  await checks.allTold(hit);
  await checks.allPlay(hit);
}

/** What it had in its memory alone is gone. */
function killNode(regionId: RegionId, { world, traders }: Scene): void {
  // Where supervisors start what ended, this one waits for its turn.
  regionOf(world, regionId).knockOut();
  traders.nodeKilled(regionId);
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
  // A core that came to lead meanwhile has never heard of it.
  await checks.coreLists(world, regionId, world.cores.length > 1 ? ["down", "unknown"] : ["down"]);
  await checks.allPlay(hit, regionId);
}

/** A short stop may pass unnoticed. A long one lasts until those who must notice have done so. */
async function stopRegion(regionId: RegionId, stoppedMs: number, scene: Scene): Promise<void> {
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

/** With all of its processes: what is left of a PostgreSQL would tidy up after it. */
async function kill(part: ProcessHandle, awayMs: number): Promise<void> {
  signalTree(part, "SIGSTOP");
  signalTree(part, "SIGKILL");
  await sleep(systemClock, awayMs);
  await part.restart();
}

async function stop(part: ProcessHandle, stoppedMs: number): Promise<void> {
  signalTree(part, "SIGSTOP");
  try {
    await sleep(systemClock, stoppedMs);
  } finally {
    signalTree(part, "SIGCONT");
  }
}

/** The way to the core alone: refused at everybody's way in, a living node looks dead (docs/failover.md). */
async function cutLink({ links }: LocalWorld, regionId: RegionId, cutMs: number): Promise<void> {
  const out = ours(links?.regionToCore.get(regionId));
  try {
    await out.cut();
    await sleep(systemClock, cutMs);
  } finally {
    await out.heal();
  }
}

async function halfOpenLink(
  { links }: LocalWorld,
  regionId: RegionId,
  heldMs: number,
): Promise<void> {
  const both = [links?.regionToCore.get(regionId), links?.coreToRegion.get(regionId)].map(ours);
  for (const way of both) way.halfOpen();
  await sleep(systemClock, heldMs);
  await Promise.all(both.map((way) => way.heal()));
}

/** The process itself first: it must not see what becomes of the others. */
function signalTree(part: ProcessHandle, signal: NodeJS.Signals): void {
  const pid = ours(part.pid);
  for (const one of [pid, ...childrenOf(pid)]) signalProcess(one, signal);
}

function regionOf(world: LocalWorld, regionId: RegionId): LocalRegionHandle {
  return ours(world.regions.get(regionId));
}

/** A campaign's world has all parts of its own. */
function ours<T>(part: T | undefined): T {
  if (part === undefined) throw new Error("this world has no such part of its own");
  return part;
}
