/** The core and the regions as supervised processes of a world. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import { watchLog } from "../process/log-file.ts";
import { freePorts } from "../process/port.ts";
import { PRIVATE_HOST } from "./addresses.ts";
import type { LinkFiles } from "./link-files.ts";
import { startNodeProcess } from "./node-process.ts";
import type { NameServerPorts } from "./ports.ts";
import {
  coreEnvironment,
  coreNameOf,
  pageOrigins,
  portsOf,
  publicAddress,
  regionEnvironment,
  responderEnvironment,
  siblingEnvironment,
  type WorldPlan,
  worldFiles,
} from "./settings.ts";
import { Supervisor } from "./supervisor.ts";
import type { StartedTogether, WorldParts } from "./world-parts.ts";

/** A process of the world, for tests and faults. */
export interface ProcessHandle {
  /** Undefined while it is down. */
  readonly pid: number | undefined;
  /** Sends a signal, as anyone could. @throws while it is down */
  kill(signal: NodeJS.Signals): void;
  /** Kills it at once; it stays away until `restart`. */
  knockOut(): void;
  /** Starts it anew, now; resolves when it is ready. */
  restart(): Promise<void>;
  /** Starts its next life, which goes on with its rooms; resolves when that is ready. */
  succeed(): Promise<void>;
}

export interface WorldProcess extends StartedTogether {
  readonly handle: ProcessHandle;
  readonly privateUrl: string;
  readonly logFile: string;
  /** `host:port` where the core reaches its link; of regions' nodes. */
  readonly linkAddress: string | undefined;
}

export interface ProcessContext {
  readonly plan: WorldPlan;
  readonly link: LinkFiles;
  readonly parts: WorldParts;
  /** Remembers a process for the next start, in case this world is killed. */
  readonly note: (name: string, pid: number) => void;
  readonly releaseOf?: ReleaseOf | undefined;
}

/** Another release than this tree. */
export interface Release {
  /** Its top folder, with its dependencies. */
  readonly dir: string;
  /** What its processes say that they are: their `BUILD`. */
  readonly build: string;
}

/**
 * Which release a part runs, name servers with the core; undefined: this tree, whose processes say no build. Asked at
 * each start of a process, so that a part can be of another release in its next life.
 */
export type ReleaseOf = (part: "core" | RegionId) => Release | undefined;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** @param index which of the cores: with several, those who don't lead wait for it */
export function coreProcess(index: number, context: ProcessContext): WorldProcess {
  const { plan, link } = context;
  const alone = plan.ports.cores.length === 1;
  const name = coreNameOf(index);
  const env = coreEnvironment(plan, index, link);
  return worldProcess(context, {
    name: alone ? "core" : name,
    part: "core",
    logName: alone ? "core" : name,
    file: "core/main.ts",
    env,
    privatePort: Number(env.CORE_PRIVATE_PORT),
    readyPath: alone ? "/readyz" : "/readyz?exclude=leadership",
    consequence: alone ? "rooms play on, log-in and joining wait" : "another leads within seconds",
    detail: alone ? (pageOrigins(plan)[0] ?? "") : "",
  });
}

export function regionProcess(id: RegionId, context: ProcessContext): WorldProcess {
  const { plan, link } = context;
  return worldProcess(context, {
    name: `region ${id}`,
    part: id,
    logName: `region-${id}`,
    file: "region/main.ts",
    env: regionEnvironment(plan, id, link),
    privatePort: portsOf(plan.ports, id).private,
    consequence: "its players are told",
    detail: `ws://${publicAddress(plan, id)}`,
  });
}

export function responderProcess(
  dns: { readonly zone: string; readonly ports: NameServerPorts },
  context: ProcessContext,
): WorldProcess {
  const { plan, link } = context;
  return worldProcess(context, {
    name: "dns responder",
    part: "core",
    logName: "dns",
    file: "core/dns/main.ts",
    env: responderEnvironment(plan, link, dns),
    privatePort: dns.ports.private,
    consequence: "look-ups fail, who knows an address plays on",
    detail: dns.zone,
  });
}

/** One more node of a region, on ports of its own: siblings share the region's Redis and its load. */
export async function siblingProcess(
  id: RegionId,
  serial: number,
  context: ProcessContext,
): Promise<WorldProcess> {
  const { plan, link } = context;
  const [listen = 0, linkPort = 0, privatePort = 0] = await freePorts(3);
  const name = `region ${id} #${serial}`;
  return worldProcess(context, {
    name,
    part: id,
    logName: `region-${id}-${serial}`,
    file: "region/main.ts",
    env: siblingEnvironment(plan, id, link, { listen, link: linkPort, private: privatePort }),
    privatePort,
    consequence: "its players are told",
    detail: `ws://127.0.0.1:${listen}`,
  });
}

interface ProcessSpec {
  readonly name: string;
  readonly part: "core" | RegionId;
  readonly logName: string;
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  readonly privatePort: number;
  /** Answers 200 when it has started; `/readyz` by default. */
  readonly readyPath?: string;
  readonly consequence: string;
  readonly detail: string;
}

function worldProcess(context: ProcessContext, spec: ProcessSpec): WorldProcess {
  const { plan, parts, note, releaseOf } = context;
  const { name, consequence, detail, readyPath = "/readyz" } = spec;
  const logFile = worldFiles(plan.dir).log(spec.logName);
  const privateUrl = `http://${PRIVATE_HOST}:${spec.privatePort}`;
  const supervisor = new Supervisor({
    name,
    consequence,
    restartDelayMs: parts.restartDelayMs,
    clock: systemClock,
    report: parts.report,
    start: (signal, predecessor) => {
      const release = releaseOf?.(spec.part);
      return startNodeProcess({
        file: join(release?.dir ?? ROOT, spec.file),
        env: release ? envOf(release, spec.env) : spec.env,
        logFile,
        readyUrl: `${privateUrl}${readyPath}`,
        signal,
        predecessor,
        onSpawned: (pid) => note(name, pid),
      });
    },
  });
  parts.onStop(watchLog(logFile));
  const linkAddress = spec.env.REGION_LINK_ADDRESS;
  return { supervisor, detail: () => detail, privateUrl, logFile, linkAddress, handle: supervisor };
}

/** Settings that name a file of this tree name the release's own: its table of games must be of its code. */
function envOf({ dir, build }: Release, env: ProcessSpec["env"]): Record<string, string> {
  const entries = Object.entries(env).map(([name, value]) => {
    return [name, value.startsWith(ROOT) ? join(dir, value.slice(ROOT.length)) : value] as const;
  });
  return { ...Object.fromEntries(entries), BUILD: build };
}
