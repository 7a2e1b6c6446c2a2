/** What the core hears of a region's node that a benchmark stands in for. */
import { systemClock } from "../../shared/clock.ts";
import { GameName, type NodeId, nodeIdOf, RegionId } from "../../shared/ids.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { HEARTBEAT_PERIOD_MS, Heartbeat, HeartbeatAnswer } from "../../shared/protocol/link.ts";
import { PROTOCOL_VERSION } from "../../shared/protocol/version.ts";

const REGION = RegionId.parse("beijing");
const DEADLINE_MS = 5_000;

export const STAND_IN_GAME = GameName.parse("arena");

/**
 * Registers the node and heartbeats from then on.
 * @param serial tells it from others: from 1
 * @param heard told the core's term with each answer
 * @param regionId as which the client's certificate lets it speak
 * @returns its id, and what ends it
 */
export async function startHeartbeats(
  client: LinkClient,
  coreAddress: string,
  serial: number,
  heard: (coreTerm: number) => void = () => {},
  regionId: RegionId = REGION,
): Promise<{ readonly nodeId: NodeId; readonly stop: () => void }> {
  const nodeId = nodeIdOf(regionId, serial);
  let sequence = 0;
  const beat = async () => {
    sequence += 1;
    const { coreTerm } = await client.call({
      address: coreAddress,
      peer: { role: "core" },
      path: "/link/heartbeat",
      body: heartbeatOf({ regionId, nodeId, serial, sequence }),
      answer: HeartbeatAnswer,
      deadlineMs: DEADLINE_MS,
    });
    if (coreTerm !== undefined) heard(coreTerm);
  };
  await beat();
  const stop = systemClock.every(HEARTBEAT_PERIOD_MS, () => {
    // One that fails is followed by the next.
    beat().catch(() => undefined);
  });
  return { nodeId, stop };
}

interface StandIn {
  readonly regionId: RegionId;
  readonly nodeId: NodeId;
  readonly serial: number;
  readonly sequence: number;
}

function heartbeatOf({ regionId, nodeId, serial, sequence }: StandIn): Heartbeat {
  return Heartbeat.parse({
    regionId,
    nodeId,
    sequence,
    protocol: PROTOCOL_VERSION,
    build: "benchmark",
    publicAddress: `benchmark.test:${serial}`,
    nodeAddress: `127.0.0.1:${serial}`,
    linkAddress: `127.0.0.1:${serial}`,
    games: [STAND_IN_GAME],
    state: "active",
    capacity: 100,
    connected: 0,
    reserved: 0,
    rooms: 0,
    load: { eventLoopDelayP99Ms: 1, eventLoopUtilisation: 0.1, rssBytes: 1 },
    redis: "up",
    keyIds: [],
    endedRooms: [],
  });
}
