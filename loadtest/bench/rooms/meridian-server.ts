/**
 * Meridian: a whole region node as it runs in production, with its transport, its limits and guards,
 * and its private link to a core; the core is in the benchmark's own process. Only Redis is left out,
 * which rooms don't use.
 */
import { LocalDriver, LocalPresence } from "@colyseus/core";
import { regionSettings } from "../../../region/config.ts";
import { TEST_REGION } from "../../../region/link/test-core.ts";
import { RegionNode } from "../../../region/node/node.ts";
import { noStreams } from "../../../region/outbox/no-streams.ts";
import { systemClock } from "../../../shared/clock.ts";
import { readConfig } from "../../../shared/config.ts";
import { NodeId } from "../../../shared/ids.ts";
import { startAll } from "../../../shared/lifecycle.ts";
import type { LinkCredentials } from "../../../shared/link/credentials.ts";
import { LinkIdentity } from "../../../shared/link/identity.ts";
import { createLog } from "../../../shared/log.ts";
import { createMetrics } from "../../../shared/metrics.ts";
import { answerParent } from "./answer-parent.ts";
import { FieldRoom } from "./field-room.ts";
import { GAME, PLAYERS } from "./game.ts";
import { ownAccount } from "./server-child.ts";

export interface NodeStart {
  readonly coreAddress: string;
  readonly credentials: LinkCredentials;
  /** The test's region by default. */
  readonly regionId?: string;
}

/** `host:port` of both. */
export interface NodeAddresses {
  readonly players: string;
  readonly link: string;
}

const metrics = createMetrics({});

async function start(asked: NodeStart): Promise<NodeAddresses> {
  const { coreAddress, credentials, regionId = TEST_REGION } = asked;
  // Each time it was frozen it has lost its lease, and says so.
  const log = createLog("region", "fatal");
  const identity = new LinkIdentity(credentials);
  const node = new RegionNode({
    config: readConfig(regionSettings, {
      REGION_ID: regionId,
      REGION_CAPACITY: String(PLAYERS),
      // A thousand players who come at once are a lot to do, and patches are counted here.
      OVERLOAD_LOOP_DELAY_MS: "0",
      CORE_LINK_ADDRESS: coreAddress,
      // Held in memory, and no Redis: see above.
      LINK_CA_FILE: "-",
      LINK_CERT_FILE: "-",
      LINK_KEY_FILE: "-",
      REDIS_URL: "redis://127.0.0.1:1",
    }),
    nodeId: NodeId.parse(`${regionId}-1`),
    games: new Map([[GAME, FieldRoom]]),
    redis: { state: "up", stop() {} },
    streams: noStreams,
    sharing: { presence: new LocalPresence(), driver: new LocalDriver() },
    identity,
    readIdentity: () => identity.current,
    onSuperseded(error) {
      throw error;
    },
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
  });
  await startAll(node.parts(), log);
  return node.addresses();
}

/** Of rooms' frames sent to standbys, before encryption. */
async function replicaBytes(): Promise<number> {
  const sent = await metrics.getSingleMetric("meridian_region_replica_bytes_total")?.get();
  return sent?.values[0]?.value ?? 0;
}

answerParent({ start, replicaBytes, ...ownAccount });
