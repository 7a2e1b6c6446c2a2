/**
 * The whole core, wired top to bottom: every part that it is made of, in the order in which they start.
 *
 *     players ─▶ public server ─▶ accounts · joins ─▶ registry, tickets, database ─▶ seats ─▶ nodes
 *     nodes ─▶ link server ─▶ registry, states  operators ─▶ private server ─▶ registry, operators
 */
import type { Logger } from "pino";
import type { Clock } from "../shared/clock.ts";
import {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
} from "../shared/http-server.ts";
import type { NodeId } from "../shared/ids.ts";
import type { Part } from "../shared/lifecycle.ts";
import type { LinkCredentials } from "../shared/link/credentials.ts";
import type { LinkIdentity } from "../shared/link/identity.ts";
import { IdentityFiles } from "../shared/link/identity-files.ts";
import { LinkClient } from "../shared/link/link-client.ts";
import { createMetrics } from "../shared/metrics.ts";
import { createAccountParts } from "./accounts/account-parts.ts";
import { addDataRoutes } from "./accounts/data-routes.ts";
import { addEmailRoutes } from "./accounts/email-routes.ts";
import { GuestGate, type GuestLimits } from "./accounts/guest-gate.ts";
import { GuestLimit } from "./accounts/guest-limit.ts";
import { jwksFetches } from "./accounts/jwks-source.ts";
import { addAccountRoutes } from "./accounts/routes.ts";
import { createAdmission } from "./admission/admission-parts.ts";
import { addOpeningRoutes } from "./admission/opening-routes.ts";
import { Openings } from "./admission/openings.ts";
import { addQueueRoutes } from "./admission/routes.ts";
import { Capacity } from "./capacity/capacity.ts";
import type { CoreConfig } from "./config.ts";
import { Database } from "./db/database.ts";
import { Housekeeping } from "./db/housekeeping.ts";
import { LocalCommits } from "./db/local-commits.ts";
import { readMigrations } from "./db/migrate.ts";
import { StandbyReads } from "./db/stale-reads.ts";
import { addDnsRoutes } from "./dns/routes.ts";
import { ViewPolls } from "./dns/view-polls.ts";
import { Arrivals } from "./failover/arrivals.ts";
import type { ByHand } from "./failover/by-hand.ts";
import { thresholdsOf } from "./failover/detector-settings.ts";
import { Evacuations } from "./failover/evacuation.ts";
import type { GoOn } from "./failover/evacuation-run.ts";
import { FailoverMetrics } from "./failover/failover-metrics.ts";
import { Failovers } from "./failover/failovers.ts";
import { addEvidenceRoute } from "./failover/routes.ts";
import { StandbyLists } from "./failover/standbys.ts";
import { Watch } from "./failover/watch.ts";
import { Candidates } from "./gslb/candidates.ts";
import { GeoLocator } from "./gslb/geo-locator.ts";
import { addPlayRoutes } from "./gslb/play-routes.ts";
import { PlayerWays } from "./gslb/player-ways.ts";
import { RouteMetrics } from "./gslb/route-metrics.ts";
import { Router } from "./gslb/router.ts";
import { addGslbRoutes } from "./gslb/routes.ts";
import { CallGate } from "./http/call-gate.ts";
import { watchConnections } from "./http/connection-limit.ts";
import { addCors } from "./http/cors.ts";
import { addOpenApi } from "./http/openapi.ts";
import { Outbound } from "./http/outbound.ts";
import { capMetrics, RequestCaps } from "./http/request-caps.ts";
import { Serving } from "./http/serving.ts";
import { addSecurityHeaders, addWebPage } from "./http/web-page.ts";
import { EntryDesk } from "./join/entry-desk.ts";
import { Evictions } from "./join/evictions.ts";
import { JoinMetrics } from "./join/join-metrics.ts";
import { Joins } from "./join/joins.ts";
import { addMatchmakeRoutes } from "./join/matchmake-routes.ts";
import { PartyWaits } from "./join/party-waits.ts";
import { PlayerJoins } from "./join/player-joins.ts";
import { RegionFinder } from "./join/region-finder.ts";
import { RoomDirectory } from "./join/room-directory.ts";
import { addJoinRoutes } from "./join/routes.ts";
import { SeatFinder } from "./join/seat-finder.ts";
import { Seating } from "./join/seating.ts";
import { Seats } from "./join/seats.ts";
import { AuditLog } from "./ops/audit-log.ts";
import { addAuditRoutes } from "./ops/audit-routes.ts";
import { addCapacityRoutes } from "./ops/capacity-routes.ts";
import { addEvacuationRoutes } from "./ops/evacuation-routes.ts";
import { addFailbackRoutes } from "./ops/failback-routes.ts";
import { addFailoverRoutes } from "./ops/failover-routes.ts";
import { addFenceRoutes } from "./ops/fence-routes.ts";
import { addHealthRoutes } from "./ops/health.ts";
import { Operators } from "./ops/operators.ts";
import { addPlaceRoutes } from "./ops/place-routes.ts";
import { addPlayerOpsRoutes } from "./ops/player-routes.ts";
import { addQueueOpsRoutes } from "./ops/queue-routes.ts";
import { addReconcileRoutes } from "./ops/reconcile-routes.ts";
import { addRefusedRoutes } from "./ops/refused-routes.ts";
import { addRouteOpsRoutes } from "./ops/route-routes.ts";
import { addOpsRoutes } from "./ops/routes.ts";
import { addScalingRoutes } from "./ops/scaling-routes.ts";
import { createProfileParts } from "./profiles/profile-parts.ts";
import { addProfileLinkRoutes, addProfileRoutes } from "./profiles/routes.ts";
import { createPurchases } from "./purchases/purchase-parts.ts";
import { addPurchaseRoutes } from "./purchases/purchase-routes.ts";
import { EndedRooms } from "./regions/ended-rooms.ts";
import { addLinkRoutes } from "./regions/link-routes.ts";
import { createLinkServer } from "./regions/link-server.ts";
import { NodeCalls } from "./regions/node-calls.ts";
import { PeerList } from "./regions/peers.ts";
import { Registry } from "./regions/registry.ts";
import type { NodeRecord } from "./regions/registry-step.ts";
import type { Topology } from "./regions/topology.ts";
import { TopologyFile } from "./regions/topology-file.ts";
import { LINK_LIMITS, PRIVATE_LIMITS, publicLimits } from "./request-limits.ts";
import { Scaling } from "./scaling/scaling.ts";
import { scalingSettingsOf } from "./scaling/scaling-settings.ts";
import { OwnerLives } from "./sync/owner-lives.ts";
import { PlayerStates } from "./sync/player-states.ts";
import { RefusedChanges } from "./sync/refused-changes.ts";
import { addSyncRoutes } from "./sync/sync-routes.ts";
import { Keyring } from "./tickets/keyring.ts";
import { type RandomBytes, Vault } from "./tickets/master-key.ts";
import { ReconnectionTokens } from "./tickets/reconnection-token.ts";
import { addKeyRoutes } from "./tickets/routes.ts";
import { SignedTokens } from "./tickets/signed-tokens.ts";
import { Reconciler } from "./value/reconciler.ts";
import { ValueAgain } from "./value/value-again.ts";
import { ValueOps } from "./value/value-ops.ts";
import { addValueRoutes } from "./value/value-routes.ts";

const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** Each takes a connection to the database for some 2 ms; their nodes ask again. */
const PLAYER_LOADS_UNDER_WAY_MAX = 100;

export interface CoreDeps {
  /** What the file of `TOPOLOGY_FILE` said at the start. */
  readonly topology: Topology;
  readonly identity: LinkIdentity;
  /** What the identity's files say now. */
  readonly readIdentity: () => LinkCredentials;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

export interface Core {
  readonly parts: readonly Part[];
  /** Resolves, with why, when this process must end at once. */
  readonly databaseMoved: Promise<string>;
  readonly topologyFile: TopologyFile;
  readonly publicServing: Serving;
  readonly linkServing: Serving;
  readonly privateServing: Serving;
  readonly failovers: ByHand;
}

export function createCore(config: CoreConfig, deps: CoreDeps): Core {
  const { topology, identity, readIdentity, clock, random, log } = deps;
  const metrics = createMetrics({ process: "core" });
  const master = config.MASTER_KEY;
  const common = { clock, log, metrics };
  const callGate = (calls: string, underWayMax: number) =>
    new CallGate({ calls, underWayMax, ...common });
  const requests = { clock, log, metrics: capMetrics(metrics) };

  const database = new Database({
    url: config.DATABASE_URL,
    ownerUrl: config.DATABASE_OWNER_URL ?? config.DATABASE_URL,
    connectionsMax: config.DATABASE_CONNECTIONS,
    startDeadlineMs: config.DATABASE_WAIT_MS,
    migrations: readMigrations(),
    ...common,
  });
  const vault = new Vault(master, random);
  const keyring = new Keyring({ database, vault, clock, random });
  const tokens = new SignedTokens({
    keyring,
    clock,
    random,
    accessTtlMs: config.ACCESS_TOKEN_TTL_MS,
    ticketTtlMs: config.TICKET_TTL_MS,
  });
  const gate = new GuestGate(guestLimits(config), common);

  const clients = {
    reserves: new LinkClient(identity, clock, { callsMax: config.RESERVES_PER_NODE_MAX }),
    others: new LinkClient(identity, clock),
  };
  const outbound = new Outbound(metrics);
  outbound.watch("nodes, for seats", () => clients.reserves.openBreakers);
  outbound.watch("nodes, for the rest", () => clients.others.openBreakers);
  const calls = new NodeCalls(clients);
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
  const seen = createProfileParts(config, { database, random, ...common });
  const { profiles } = seen;
  const fetches = jwksFetches(metrics);
  const people = createAccountParts(config, {
    database,
    tokens,
    evictions,
    profiles,
    fetches,
    outbound,
    random,
    ...common,
  });
  const { accounts } = people;
  const value = new ValueOps({ database, clock, metrics });
  const refused = new RefusedChanges({ database, ...common });
  const states = new PlayerStates({
    database,
    refused,
    lives: new OwnerLives((nodeId) => registry.node(nodeId)?.node, clock),
    loadGate: callGate("player_loads", PLAYER_LOADS_UNDER_WAY_MAX),
    coreTerm: () => registry.coreTerm,
    wanted(nodeId, player) {
      const node = aliveOnly(registry.node(nodeId)?.node);
      // The load that waits says it again.
      if (node) calls.wanted(node, player).catch(() => undefined);
    },
    ...common,
  });
  const valueAgain = new ValueAgain({ database, clock, metrics });
  const purchases = createPurchases(config, { database, fetches, outbound, ...common });
  const staleReads = new StandbyReads({
    url: config.DATABASE_STANDBY_URL,
    lagMaxMs: config.DATABASE_STANDBY_LAG_MS,
    primary: database,
    ...common,
  });
  const reconciler = new Reconciler({
    database,
    staleReads,
    periodMs: config.RECONCILE_PERIOD_MS,
    ...common,
  });
  const overrides = [...config.GEO_OVERRIDES_FILE, ...config.GEO_OVERRIDES];
  const locator = new GeoLocator(overrides, topology.core);
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
  const openings = new Openings({ database, vault, random, clock });
  const { admission, parts: admissionParts } = createAdmission(config, {
    registry,
    database,
    openings,
    random: Math.random,
    ...common,
  });
  const scaling = new Scaling({
    registry,
    waitingOf: (regionId) => admission.rooms.queues.get(regionId)?.waiting ?? 0,
    headroom: config.ADMISSION_HEADROOM,
    ...scalingSettingsOf(config),
    ...common,
  });
  const reserveDeadlineMs = config.RESERVE_DEADLINE_MS;
  const onSilent = (nodeId: NodeId) => watch.callFailed(nodeId);
  const seats = new Seats({ calls, registry, reserveDeadlineMs, onSilent, ...common });
  const reconnections = new ReconnectionTokens(master);
  const finder = new SeatFinder({ registry, directory, regions });
  const taking = { seats, directory, tokens, reconnections };
  const seating = new Seating({ ...taking, registry, database, evictions, clock });
  const joins = new Joins({
    ...taking,
    desk: new EntryDesk({
      admission,
      finder,
      seating,
      registry,
      gate: callGate("joins", config.JOINS_UNDER_WAY_MAX),
      ways,
      spillMs: config.ADMISSION_SPILL_MS,
    }),
    admission,
    seating,
    registry,
    finder,
    regions,
    returnGate: callGate("returns", config.RETURNS_UNDER_WAY_MAX),
    players: new PlayerJoins(
      { perSecond: config.JOINS_PER_PLAYER_PER_SECOND, burst: config.JOINS_PER_PLAYER_BURST },
      common,
    ),
    arrivals,
    onUnreachable: (playerId, nodeId) => watch.reported(playerId, nodeId),
    clock,
    metrics: new JoinMetrics(common),
  });
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
  const audit = new AuditLog({ database, ...common });
  const operators = new Operators({
    database,
    audit,
    random,
    bootstrapToken: config.OPERATOR_TOKEN,
    ...common,
  });

  const publicServing = new Serving({
    name: "public server",
    server: plainServer(log, {
      trustedProxies: config.TRUSTED_PROXIES,
      connectionsMax: config.CORE_CONNECTIONS_MAX,
    }),
    caps: new RequestCaps("public", publicLimits(config), requests),
    host: config.CORE_HOST,
    port: config.CORE_PORT,
    portSetting: "CORE_PORT",
    clock,
    async prepare(server) {
      watchConnections(server, common);
      addSecurityHeaders(server);
      addCors(server, { origins: config.PUBLIC_ORIGINS, ...common });
      await addOpenApi(server);
      addKeyRoutes(server, keyring);
      addAccountRoutes(server, { ...people, tokens, gate });
      addEmailRoutes(server, { ...people, tokens, gate });
      addDataRoutes(server, { ...people, tokens, gate });
      addValueRoutes(server, { database, tokens });
      addProfileRoutes(server, { ...seen, tokens });
      addPurchaseRoutes(server, { purchases, tokens });
      addGslbRoutes(server, { registry, candidates, locator, router, metrics: routeMetrics });
      addPlayRoutes(server, { router, metrics: routeMetrics });
      addJoinRoutes(server, { joins, regions, tokens });
      addQueueRoutes(server, admission);
      addOpeningRoutes(server, { admission, openings });
      addMatchmakeRoutes(server, { joins, accounts, tokens, gate });
      if (config.WEB_DIR !== undefined) await addWebPage(server, config.WEB_DIR);
    },
  });

  const privateServing = new Serving({
    name: "private server",
    server: plainServer(log),
    caps: new RequestCaps("private", PRIVATE_LIMITS, requests),
    host: config.CORE_PRIVATE_HOST,
    port: config.CORE_PRIVATE_PORT,
    portSetting: "CORE_PRIVATE_PORT",
    clock,
    prepare(server) {
      addSecurityHeaders(server);
      addHealthRoutes(server, { database, players: publicServing, metrics });
      const build = config.BUILD;
      addOpsRoutes(server, {
        operators,
        registry,
        topologyFile,
        calls,
        keyring,
        database,
        admission,
        clock,
        build,
      });
      addAuditRoutes(server, operators);
      addScalingRoutes(server, { operators, scaling });
      addCapacityRoutes(server, { operators, registry, capacity });
      addFenceRoutes(server, { operators, registry, calls });
      addEvacuationRoutes(server, { operators, evacuations });
      addFailoverRoutes(server, { operators, failovers });
      addFailbackRoutes(server, { operators, registry, evacuations, calls });
      addPlaceRoutes(server, { operators, database });
      const classes = config.ADMISSION_CLASSES;
      addPlayerOpsRoutes(server, { operators, classes, database, ...people });
      addQueueOpsRoutes(server, { operators, registry, admission, openings, classes });
      addRefusedRoutes(server, { operators, refused });
      addReconcileRoutes(server, { operators, reconciler });
      addRouteOpsRoutes(server, { operators, registry, router });
    },
  });
  const linkServing = new Serving({
    name: "link server",
    server: createLinkServer({ identity, ...common }),
    caps: new RequestCaps("link", LINK_LIMITS, requests),
    host: config.CORE_LINK_HOST,
    port: config.CORE_LINK_PORT,
    portSetting: "CORE_LINK_PORT",
    clock,
    prepare(server) {
      const { feed } = seen;
      const peers = new PeerList({ regions: () => registry.regions(), clock });
      const drains = (nodeId: NodeId) => evacuations.drains(nodeId);
      const standbys = new StandbyLists({ regions: () => registry.regions(), drains, clock });
      addEvidenceRoute(server, { registry, watch, clock });
      const lists = { peers, standbys, feed };
      addLinkRoutes(server, { registry, ...lists, drains, keyring, value, valueAgain, clock });
      addSyncRoutes(server, { registry, states });
      addProfileLinkRoutes(server, profiles);
      addDnsRoutes(server, viewPolls);
    },
  });

  return {
    databaseMoved: database.moved,
    topologyFile,
    failovers,
    publicServing,
    linkServing,
    privateServing,
    // The private server comes first: health answers while the database is still waited for.
    parts: [
      privateServing,
      locator,
      database,
      keyring,
      audit,
      operators,
      endedRooms,
      registry,
      // Before anybody is admitted.
      capacity,
      topologyFile,
      evictions,
      ...seen.parts,
      people.mails,
      new IdentityFiles({ identity, read: readIdentity, ...common }),
      { name: "link client of reserves", stop: () => clients.reserves.stop() },
      { name: "link client", stop: () => clients.others.stop() },
      watch,
      failovers,
      evacuations,
      new Housekeeping({ database: new LocalCommits(database), ...common }),
      { name: "refused changes", stop: () => refused.settled() },
      { name: "players' state", stop: () => states.stop() },
      staleReads,
      reconciler,
      openings,
      ...admissionParts,
      scaling,
      linkServing,
      // Behind the link server, so that it lets the waiting go before that one waits for them.
      viewPolls,
      publicServing,
      // Behind the public server in the same way: streams never end by themselves.
      {
        name: "connections of the queue",
        async drain() {
          admission.letGo();
        },
      },
    ],
  };
}

function aliveOnly(node: NodeRecord | undefined): NodeRecord | undefined {
  return node?.alive ? node : undefined;
}

function plainServer(
  log: Logger,
  bounds: Pick<HttpServerOptions, "trustedProxies" | "connectionsMax"> = {},
): HttpServer {
  return createHttpServer({
    log,
    bodyBytesMax: BODY_BYTES_MAX,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    ...bounds,
  });
}

function guestLimits(config: CoreConfig): GuestLimits {
  return {
    made: new GuestLimit(
      { perSecond: config.GUESTS_PER_PREFIX_PER_SECOND, burst: config.GUESTS_PER_PREFIX_BURST },
      { perSecond: config.GUESTS_PER_SECOND, burst: config.GUESTS_BURST },
    ),
    loggedIn: new GuestLimit(
      {
        perSecond: config.GUEST_LOG_INS_PER_PREFIX_PER_SECOND,
        burst: config.GUEST_LOG_INS_PER_PREFIX_BURST,
      },
      { perSecond: config.GUEST_LOG_INS_PER_SECOND, burst: config.GUEST_LOG_INS_BURST },
    ),
  };
}
