/**
 * What befalls a core of several processes and its database with a standby: each is carried out until players are
 * served again. Supervisors start what ended, as an orchestrator does; `repairDisasters` waits until all of it is
 * there and the standby may take over, so that the next one does not meet half of it.
 */
import type { LocalWorld } from "../../infra/local/world.ts";
import { signalProcess } from "../../infra/process/pid.ts";
import { childrenOf } from "../../loadtest/bench/process-cpu.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import type { Disaster } from "./fault.ts";
import { waitUntil } from "./invariant.ts";

/** A lease that runs out, a start, the regions' reports and a busy machine. */
const SERVES_WITHIN_MS = 30_000;
/** A copy of the database may have to be made. */
const WHOLE_WITHIN_MS = 60_000;
const PROBE_MS = 2_000;

export async function strikeCenter(
  kind: Disaster,
  lastsMs: number,
  world: LocalWorld,
): Promise<void> {
  switch (kind) {
    case "kill-leader":
      (await world.leader()).kill("SIGKILL");
      break;
    case "stop-leader": {
      const { pid } = await world.leader();
      if (pid !== undefined) await stopFor([pid], lastsMs);
      break;
    }
    case "kill-cores":
      for (const core of world.cores) core.knockOut();
      await sleep(systemClock, lastsMs);
      await Promise.all(world.cores.map((core) => core.restart()));
      break;
    case "kill-primary":
      killTree(await pidOf(world, "postgres"));
      break;
    case "stop-primary":
      await stopFor(treeOf(await pidOf(world, "postgres")), lastsMs);
      break;
    case "kill-standby":
      killTree(await pidOf(world, "postgresStandby"));
      break;
    case "stop-standby":
      await stopFor(treeOf(await pidOf(world, "postgresStandby")), lastsMs);
      break;
    case "cut-standby":
      await world.replicationLink?.cut();
      await sleep(systemClock, lastsMs);
      await world.replicationLink?.heal();
      break;
  }
  await serves(world);
}

/** Every core is there, one of them leads, and the standby has all that was committed. */
export async function repairDisasters(world: LocalWorld): Promise<void> {
  const { cores, databasePair } = world;
  // Whoever ends often is started again ever more seldom, which is not what is looked at here.
  const down = cores.filter(({ pid }) => pid === undefined);
  await Promise.all(down.map((core) => core.restart()));
  await waitUntil({
    invariant: "core-serves",
    withinMs: WHOLE_WITHIN_MS,
    wrong() {
      const ended = cores.filter(({ pid }) => pid === undefined).length;
      if (ended > 0) return `${ended} cores are down`;
      return databasePair && !databasePair.mark.promotable ? "the standby lags" : undefined;
    },
  });
  await serves(world);
}

/** Players can ask the core, and it the database. */
async function serves({ core }: LocalWorld): Promise<void> {
  await waitUntil({
    invariant: "core-serves",
    withinMs: SERVES_WITHIN_MS,
    async wrong() {
      const problem = (error: unknown) => String(error instanceof Error ? error.message : error);
      const signal = AbortSignal.timeout(PROBE_MS);
      const answer = await fetch(`${core.opsUrl}/readyz`, { signal }).catch(problem);
      if (typeof answer === "string") return answer;
      const text = await answer.text();
      return answer.ok ? undefined : text;
    },
  });
}

/** One that was struck before may be on its way back. */
async function pidOf(world: LocalWorld, part: "postgres" | "postgresStandby"): Promise<number> {
  const pid = () => world[part]?.pid;
  await waitUntil({
    invariant: "core-serves",
    withinMs: WHOLE_WITHIN_MS,
    wrong: () => (pid() === undefined ? `${part} does not run` : undefined),
  });
  return pid() ?? 0;
}

/** With all of its processes at once, as when its machine loses power. */
function killTree(pid: number): void {
  const all = treeOf(pid);
  for (const signal of ["SIGSTOP", "SIGKILL"] as const) {
    for (const one of all) signalProcess(one, signal);
  }
}

/** They may be ended meanwhile, by whoever took over. */
async function stopFor(pids: readonly number[], ms: number): Promise<void> {
  for (const pid of pids) signalProcess(pid, "SIGSTOP");
  await sleep(systemClock, ms);
  for (const pid of pids) signalProcess(pid, "SIGCONT");
}

function treeOf(pid: number): number[] {
  return [pid, ...childrenOf(pid)];
}
