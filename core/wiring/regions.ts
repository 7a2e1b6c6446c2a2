/** What the leader knows of regions, and does about them: the registry, detection, failover, routing. */
import type { Part } from "../../shared/lifecycle.ts";
import { Capacity } from "../capacity/capacity.ts";
import type { CoreConfig } from "../config.ts";
import { ViewPolls } from "../dns/view-polls.ts";
import { Arrivals } from "../failover/arrivals.ts";
import { thresholdsOf } from "../failover/detector-settings.ts";
import { Evacuations } from "../failover/evacuation.ts";
import type { GoOn } from "../failover/evacuation-run.ts";
import { FailoverMetrics } from "../failover/failover-metrics.ts";
import { Failovers } from "../failover/failovers.ts";
import { Watch } from "../failover/watch.ts";
import { Candidates } from "../gslb/candidates.ts";
import { PlayerWays } from "../gslb/player-ways.ts";
import { RouteMetrics } from "../gslb/route-metrics.ts";
import { Router } from "../gslb/router.ts";
import { Evictions } from "../join/evictions.ts";
import { PartyWaits } from "../join/party-waits.ts";
import { RegionFinder } from "../join/region-finder.ts";
import { RoomDirectory } from "../join/room-directory.ts";
import { EndedRooms } from "../regions/ended-rooms.ts";
import { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import { TopologyFile } from "../regions/topology-file.ts";
import type { Base, Common } from "./base.ts";

export type Regions = ReturnType<typeof createRegions>;

/** @param common with the leader's clock */
export function createRegions(config: CoreConfig, base: Base, common: Common) {
  const { topology, database, clients, calls, identity, locator } = base;
  const { clock, log, metrics } = common;
  const endedRooms = new EndedRooms({
    database,
    ...common,
    onUnheard: (nodeId) => failovers.unheard(nodeId),
  });
  const registry = new Registry({
    topology,
    database,
    endedRooms,
    ...common,
    onGone(address) {
      // Nobody waits for idle connections to close.
      for (const client of Object.values(clients)) void client.forget(address);
    },
    onDoubtfulHeard: () => watch.look(),
    onReplaced: (nodeId) => failovers.down(nodeId, "replaced"),
    onClaimed(roomId) {
      failovers.claimed(roomId);
      directory.roomChanged(roomId);
    },
  });
  const evictions = new Evictions({
    database,
    calls,
    liveNode: (nodeId) => aliveOnly(registry.node(nodeId)?.node),
    ...common,
  });
  const candidates = new Candidates(() => registry.state);
  const router = new Router({ registry, candidates, locator });
  const routeMetrics = new RouteMetrics(common);
  const ways = new PlayerWays(clock);
  const regions = new RegionFinder({
    registry,
    candidates,
    locator,
    database,
    ways,
    waits: new PartyWaits(clock),
  });
  const topologyFile = new TopologyFile({
    path: config.TOPOLOGY_FILE,
    inForce: topology,
    async take(next) {
      await registry.followTopology(next.regions);
      locator.moveFallback(next.core);
    },
    ...common,
  });
  const viewPolls = new ViewPolls({
    regions: () => registry.state,
    candidates,
    core: () => locator.fallback,
    clock,
    metrics,
  });
  const directory = new RoomDirectory(database, clock, (nodeId) => failovers.isUndecided(nodeId));
  const arrivals = new Arrivals({
    perSecond: config.FAILOVER_ARRIVALS_PER_SECOND,
    random: Math.random,
    clock,
    metrics,
  });
  const failoverMetrics = new FailoverMetrics(metrics, {
    regions: () => registry.regions(),
    underWay: () => failovers.underWay,
  });
  const watch = new Watch({
    registry,
    calls,
    identity,
    onDown: (nodeId, because) => failovers.down(nodeId, because),
    onHealth: (nodeId) => directory.nodeChanged(nodeId),
    thresholds: thresholdsOf(config),
    clock,
    log,
    metrics: failoverMetrics,
  });
  const failovers = new Failovers({
    registry,
    database,
    calls,
    onFenced(nodeId) {
      watch.fenced(nodeId);
      directory.nodeChanged(nodeId);
    },
    onGivenUp(roomIds) {
      for (const roomId of roomIds) directory.roomChanged(roomId);
    },
    onMoved: (roomId) => arrivals.roomMoved(roomId),
    onFailed: (nodeId) => watch.callFailed(nodeId),
    clock,
    log,
    metrics: failoverMetrics,
  });
  const capacity = new Capacity({ database, registry, margin: config.CAPACITY_MARGIN, ...common });
  const { promised } = failovers;
  const goOn: GoOn = (nodeId, rooms, patienceMs) => failovers.goOn(nodeId, rooms, patienceMs);
  const evacuations = new Evacuations({
    database,
    registry,
    calls,
    promised,
    goOn,
    ...common,
  });
  const parts: readonly Part[] = [
    endedRooms,
    registry,
    // Before anybody is admitted.
    capacity,
    topologyFile,
    evictions,
  ];
  const deciding: readonly Part[] = [watch, failovers, evacuations];
  return {
    registry,
    evictions,
    candidates,
    router,
    routeMetrics,
    ways,
    regions,
    topologyFile,
    viewPolls,
    directory,
    arrivals,
    watch,
    failovers,
    capacity,
    evacuations,
    parts,
    deciding,
  };
}

export function aliveOnly(node: NodeRecord | undefined): NodeRecord | undefined {
  return node?.alive ? node : undefined;
}
