/** The cores of a world: one alone, or several with HAProxy in front, of whom one leads. */
import { join } from "node:path";
import { sleep, systemClock } from "../../shared/clock.ts";
import { coresConfig } from "../haproxy/cores.ts";
import { HAPROXY_LOG, startHaproxy } from "../haproxy/server.ts";
import { watchLog } from "../process/log-file.ts";
import { PRIVATE_HOST } from "./addresses.ts";
import { coreProcess, type ProcessContext, type ProcessHandle } from "./processes.ts";
import { coreNameOf, pageOrigins, worldFiles } from "./settings.ts";
import { Supervisor } from "./supervisor.ts";

export interface CoreHandle extends ProcessHandle {
  /** Its own private port, whoever leads. */
  readonly privateUrl: string;
}

export interface Cores {
  readonly handles: readonly [CoreHandle, ...CoreHandle[]];
  /** The one that leads, once one does and can be reached. @throws when none does for 15 s */
  leader(): Promise<CoreHandle>;
  /** What is in front of several. */
  readonly haproxy: ProcessHandle | undefined;
}

const LEADER_DEADLINE_MS = 15_000;
const POLL_MS = 25;
const PROBE_MS = 1_000;
/** Of players, regions and operators of one machine. */
const CONNECTIONS_MAX = 10_000;

/**
 * Resolves when one leads and can be reached.
 * @param haproxyPath with several cores
 */
export async function startCores(
  context: ProcessContext,
  haproxyPath: string | undefined,
): Promise<Cores> {
  const { plan, parts } = context;
  const processes = plan.ports.cores.map((_, index) => coreProcess(index, context));
  await parts.start(...processes);
  const [first, ...others] = processes.map(({ handle, privateUrl }) =>
    Object.assign(handle, { privateUrl }),
  );
  if (!first) throw new Error("a world without a core");
  const handles = [first, ...others] as const;
  const haproxy = haproxyPath === undefined ? undefined : await startProxy(context, haproxyPath);
  const entryUrl = readyUrlOf(plan.ports.core.private);
  return { handles, leader: () => leaderOf(handles, entryUrl), haproxy };
}

async function startProxy(context: ProcessContext, serverPath: string): Promise<ProcessHandle> {
  const { plan, parts, note } = context;
  const { addresses, ports } = plan;
  const dir = worldFiles(plan.dir).haproxy;
  const config = coresConfig(
    ports.cores.map((own, index) => ({
      name: coreNameOf(index),
      host: PRIVATE_HOST,
      port: own.listen,
      linkPort: own.link,
      privatePort: own.private,
    })),
    {
      bind: `${plan.wan ? PRIVATE_HOST : addresses.listenHost}:${ports.core.listen}`,
      linkBind: `${PRIVATE_HOST}:${ports.core.link}`,
      opsBind: `${PRIVATE_HOST}:${ports.core.private}`,
      connectionsMax: CONNECTIONS_MAX,
    },
  );
  const isReady = () => answers(readyUrlOf(ports.core.private));
  const onSpawned = (pid: number) => note("haproxy", pid);
  const supervisor = new Supervisor({
    name: "haproxy",
    consequence: "rooms play on, log-in and joining wait",
    restartDelayMs: parts.restartDelayMs,
    clock: systemClock,
    report: parts.report,
    start: (signal) => startHaproxy({ dir, serverPath, config, isReady, onSpawned, signal }),
  });
  await parts.start({ supervisor, detail: () => pageOrigins(plan)[0] ?? "" });
  parts.onStop(watchLog(join(dir, HAPROXY_LOG)));
  return supervisor;
}

function readyUrlOf(privatePort: number): string {
  return `http://${PRIVATE_HOST}:${privatePort}/readyz`;
}

/** @param entryUrl answers where all find the leader */
async function leaderOf(cores: readonly CoreHandle[], entryUrl: string): Promise<CoreHandle> {
  const endMs = systemClock.monotonicMs() + LEADER_DEADLINE_MS;
  for (;;) {
    const leads = await Promise.all(
      cores.map(({ pid, privateUrl }) => pid !== undefined && answers(`${privateUrl}/readyz`)),
    );
    const leader = cores.find((_, index) => leads[index]);
    if (leader && (await answers(entryUrl))) return leader;
    if (systemClock.monotonicMs() >= endMs) throw new Error("no core leads");
    await sleep(systemClock, POLL_MS);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    // Not there, or stopped: the caller asks again until its deadline.
    return false;
  }
}
