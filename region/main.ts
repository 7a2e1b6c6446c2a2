/** A region node: reads its settings, learns which life of the node this is, and runs. */
import { systemClock } from "../shared/clock.ts";
import { ConfigError, readConfig } from "../shared/config.ts";
import { RegionId } from "../shared/ids.ts";
import { runProcess } from "../shared/lifecycle.ts";
import { readLinkCredentials } from "../shared/link/credentials.ts";
import { LinkIdentity } from "../shared/link/identity.ts";
import { createLog } from "../shared/log.ts";
import { createMetrics } from "../shared/metrics.ts";
import { regionSettings } from "./config.ts";
import { colyseusProcessId } from "./node/colyseus.ts";
import { loadGames, tableIn } from "./node/load-games.ts";
import { RegionNode, SETTLE_MS } from "./node/node.ts";
import { succeed } from "./node/predecessor.ts";
import { takeNodeId } from "./redis/incarnation.ts";
import { RegionDriver } from "./redis/region-driver.ts";
import { createRegionPresence } from "./redis/region-presence.ts";
import { RegionRedis } from "./redis/region-redis.ts";

/** For everything in a stop that is not the rooms' drain. */
const STOP_MARGIN_MS = 5_000;

async function main(): Promise<void> {
  const config = readConfig(regionSettings, process.env);
  const clock = systemClock;
  const regionId = RegionId.parse(config.REGION_ID);
  const metrics = createMetrics({ region: regionId });
  const bootLog = createLog("region", config.LOG_LEVEL, { region: regionId });

  const games = await loadGames(config.GAMES, tableIn(config.GAMES_FILE));
  const redis = new RegionRedis({ url: config.REDIS_URL, regionId, clock, log: bootLog, metrics });
  await redis.start();
  const nodeId = await takeNodeId(redis.redis, regionId, clock.nowMs());
  const log = createLog("region", config.LOG_LEVEL, { region: regionId, node: nodeId });

  const node = new RegionNode({
    config,
    nodeId,
    games,
    redis,
    sharing: {
      presence: createRegionPresence({ redis, regionId, log, metrics }),
      driver: new RegionDriver({
        connection: redis.shared,
        processId: colyseusProcessId,
        clock,
        metrics,
      }),
    },
    identity: new LinkIdentity(readLinkCredentials(config)),
    readIdentity: () => readLinkCredentials(config),
    onSuperseded(error) {
      log.fatal(
        { runbook: "region-node-superseded" },
        "the core knows a newer life of this node: this one ends",
      );
      clock.after(0, () => {
        // Outside of every promise: this is how a process of ours ends itself.
        throw error;
      });
    },
    clock,
    random: Math.random,
    log,
    metrics,
  });
  const end = () => process.kill(process.pid, "SIGTERM");
  process.on("SIGUSR2", () => {
    node.handOver().then(
      (given) => given && end(),
      (err: unknown) => {
        log.error(
          { err, runbook: "region-hand-over" },
          "the hand-over failed half-way: its rooms are lost",
        );
        end();
      },
    );
  });
  if (config.PREDECESSOR_PID > 0) await succeed(config.PREDECESSOR_PID, clock);
  const stopDeadlineMs = config.DRAIN_DEADLINE_MS + SETTLE_MS + STOP_MARGIN_MS;
  await runProcess({ log, parts: node.parts(), stopDeadlineMs });
}

try {
  await main();
} catch (error) {
  const line = error instanceof Error ? error.message : String(error);
  process.stderr.write(`region: ${error instanceof ConfigError ? line : `can't start: ${line}`}\n`);
  process.exit(1);
}
