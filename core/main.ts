/** The core's process: reads the environment, builds the core, runs it until a signal. */
import { randomBytes } from "node:crypto";
import { systemClock } from "../shared/clock.ts";
import { ConfigError, readConfig } from "../shared/config.ts";
import { type Part, runProcess, StartFailure } from "../shared/lifecycle.ts";
import { readLinkCredentials } from "../shared/link/credentials.ts";
import { LinkIdentity } from "../shared/link/identity.ts";
import { createLog } from "../shared/log.ts";
import { type CoreConfig, coreSettings } from "./config.ts";
import { type Core, createCore } from "./core.ts";
import { loadTopology, type Topology } from "./regions/topology.ts";

const STOP_DEADLINE_MS = 4_500;

const { config, topology, identity } = readEverything();
const log = createLog("core", config.LOG_LEVEL);
const core = coreOfSettings();
process.on("SIGHUP", () => void core.topologyFile.reload());
await runProcess({
  log,
  parts: core.parts,
  stopDeadlineMs: STOP_DEADLINE_MS,
  ended: core.ended,
});

/** The core of these settings; where they contradict each other, the lines that say so and the end. */
function coreOfSettings(): Core {
  try {
    const deps = {
      topology,
      identity,
      readIdentity: () => readLinkCredentials(config),
      clock: systemClock,
      random: randomBytes,
      log,
    };
    return createCore(config, deps, inWords);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    sayWhy(error);
    process.exit(2);
  }
}

interface Given {
  readonly config: CoreConfig;
  readonly topology: Topology;
  readonly identity: LinkIdentity;
}

/** Everything from outside, or one clear line and the end. */
function readEverything(): Given {
  try {
    const config = readConfig(coreSettings, process.env);
    const topology = loadTopology(config.TOPOLOGY_FILE);
    return { config, topology, identity: new LinkIdentity(readLinkCredentials(config)) };
  } catch (error) {
    sayWhy(error);
    process.exit(error instanceof ConfigError ? 2 : 1);
  }
}

/** The part, saying in one plain line on standard error why it can't start. */
function inWords(part: Part): Part {
  return {
    name: part.name,
    async start() {
      try {
        await part.start?.();
      } catch (error) {
        // One of the leader's parts has said it then.
        if (!(error instanceof StartFailure)) sayWhy(error);
        throw error;
      }
    },
    async drain() {
      await part.drain?.();
    },
    async stop() {
      await part.stop?.();
    },
  };
}

function sayWhy(error: unknown): void {
  process.stderr.write(`core: ${error instanceof Error ? error.message : String(error)}\n`);
}
