/** A whole region node in a process of its own, without Redis, which rooms don't use. */
import { LocalDriver, LocalPresence } from "@colyseus/core";
import { answerParent } from "../../loadtest/bench/rooms/answer-parent.ts";
import { regionSettings } from "../../region/config.ts";
import { RegionNode } from "../../region/node/node.ts";
import { noStreams } from "../../region/outbox/no-streams.ts";
import { systemClock } from "../../shared/clock.ts";
import { readConfig } from "../../shared/config.ts";
import { NodeId } from "../../shared/ids.ts";
import { startAll } from "../../shared/lifecycle.ts";
import type { LinkCredentials } from "../../shared/link/credentials.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { TALLY, TallyRoom } from "./tally-room.ts";

export interface NodeStart {
  readonly coreAddress: string;
  readonly credentials: LinkCredentials;
  readonly regionId: string;
  readonly nodeId: string;
  readonly capacity: number;
}

/** `host:port` of both. */
export interface NodeAddresses {
  readonly players: string;
  readonly link: string;
}

async function start(asked: NodeStart): Promise<NodeAddresses> {
  const log = createLog("region", "fatal");
  const identity = new LinkIdentity(asked.credentials);
  const node = new RegionNode({
    config: readConfig(regionSettings, {
      REGION_ID: asked.regionId,
      REGION_CAPACITY: String(asked.capacity),
      // Other tests may have the machine.
      OVERLOAD_LOOP_DELAY_MS: "0",
      PEER_PROBE_PERIOD_MS: "0",
      CORE_LINK_ADDRESS: asked.coreAddress,
      LINK_CA_FILE: "-",
      LINK_CERT_FILE: "-",
      LINK_KEY_FILE: "-",
      REDIS_URL: "redis://127.0.0.1:1",
    }),
    nodeId: NodeId.parse(asked.nodeId),
    games: new Map([[TALLY, TallyRoom]]),
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
    metrics: createMetrics({ region: asked.regionId }),
  });
  await startAll(node.parts(), log);
  return node.addresses();
}

answerParent({ start });
