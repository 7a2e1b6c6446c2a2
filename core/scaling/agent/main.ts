/** `npm run scale`: carries out what the core decides of scaling, until a signal. */
import { parseArgs } from "node:util";
import { systemClock } from "../../../shared/clock.ts";
import { ConfigError, readConfig } from "../../../shared/config.ts";
import { createHttpServer } from "../../../shared/http-server.ts";
import { runProcess } from "../../../shared/lifecycle.ts";
import { createLog } from "../../../shared/log.ts";
import { createMetrics } from "../../../shared/metrics.ts";
import { Serving } from "../../http/serving.ts";
import { readOpsAccess } from "../../ops/access.ts";
import { ScalingAgent } from "./agent.ts";
import { scaleSettings } from "./config.ts";
import { poolOf } from "./pools.ts";

const STOP_DEADLINE_MS = 4_000;
const BODY_BYTES_MAX = 1_024;
const REQUEST_TIMEOUT_MS = 5_000;
const USAGE = `Usage: npm run scale -- [--adapter print|http|kubernetes] [--dry-run]

Asks the core how many nodes each region should run, and has them run: adds nodes, empties those that are too
many and ends them. Until Ctrl-C. In the local world: npm start -- --scale.

  --adapter NAME   what makes and ends nodes (SCALE_ADAPTER; print)
  --dry-run        say what would be done, and do nothing; what print does always
  --help           this text

All settings: docs/configuration.md, "Scaling"; how it works: docs/scaling.md
`;

async function main(): Promise<void> {
  const { adapter, dryRun, help } = readArgs();
  if (help) {
    process.stdout.write(USAGE);
    return;
  }
  const env = { ...process.env, ...(adapter !== undefined && { SCALE_ADAPTER: adapter }) };
  const config = readConfig(scaleSettings, env);
  const ops = readOpsAccess(process.env);
  const clock = systemClock;
  const random = Math.random;
  const log = createLog("scale", config.LOG_LEVEL);
  const metrics = createMetrics({ process: "scale" });
  const pool = poolOf(config, { clock, random });
  const prints = dryRun || config.SCALE_ADAPTER === "print";
  const privateServing = new Serving({
    name: "private server",
    server: createHttpServer({
      log,
      bodyBytesMax: BODY_BYTES_MAX,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    }),
    host: config.SCALE_PRIVATE_HOST,
    port: config.SCALE_PRIVATE_PORT,
    portSetting: "SCALE_PRIVATE_PORT",
    clock,
    prepare(server) {
      server.get("/healthz", async () => ({ ok: true }));
      server.get("/metrics", async (_request, reply) => {
        void reply.type(metrics.contentType);
        return await metrics.metrics();
      });
    },
  });
  const agent = new ScalingAgent({
    ops,
    pool,
    dryRun: prints,
    regions: config.SCALE_REGIONS.length === 0 ? undefined : config.SCALE_REGIONS,
    periodMs: config.SCALE_PERIOD_MS,
    clock,
    random,
    log,
    metrics,
    say: (line) => (prints ? process.stdout.write(`${line}\n`) : log.info(line)),
  });
  await runProcess({ log, parts: [privateServing, agent], stopDeadlineMs: STOP_DEADLINE_MS });
}

function readArgs(): { adapter: string | undefined; dryRun: boolean; help: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        adapter: { type: "string" },
        "dry-run": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const { adapter, "dry-run": dryRun, help } = values;
    if (adapter === "local") {
      throw new Error("the local world scales itself: npm start -- --scale");
    }
    return { adapter, dryRun, help };
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error)]);
  }
}

try {
  await main();
} catch (error) {
  const line = error instanceof Error ? error.message : String(error);
  process.stderr.write(`scale: ${error instanceof ConfigError ? line : `can't start: ${line}`}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
}
