/**
 * The servers of a core. Every core has the private one, for health, metrics and operators, of which it tells a
 * follower's callers who leads. Players and regions are served by the leader alone.
 */
import type { HttpServer } from "../../shared/http-server.ts";
import type { NodeId } from "../../shared/ids.ts";
import { addDataRoutes } from "../accounts/data-routes.ts";
import { addEmailRoutes } from "../accounts/email-routes.ts";
import { addAccountRoutes } from "../accounts/routes.ts";
import { addOpeningRoutes } from "../admission/opening-routes.ts";
import { addQueueRoutes } from "../admission/routes.ts";
import type { CoreConfig } from "../config.ts";
import { addDnsRoutes } from "../dns/routes.ts";
import { addEvidenceRoute } from "../failover/routes.ts";
import { StandbyLists } from "../failover/standbys.ts";
import { addPlayRoutes } from "../gslb/play-routes.ts";
import { addGslbRoutes } from "../gslb/routes.ts";
import { watchConnections } from "../http/connection-limit.ts";
import { addCors } from "../http/cors.ts";
import { addOpenApi } from "../http/openapi.ts";
import { RequestCaps } from "../http/request-caps.ts";
import { Serving } from "../http/serving.ts";
import { addSecurityHeaders, addWebPage } from "../http/web-page.ts";
import { addMatchmakeRoutes } from "../join/matchmake-routes.ts";
import { addJoinRoutes } from "../join/routes.ts";
import type { Leadership } from "../leadership/leadership.ts";
import { addAuditRoutes } from "../ops/audit-routes.ts";
import { addCapacityRoutes } from "../ops/capacity-routes.ts";
import { addEvacuationRoutes } from "../ops/evacuation-routes.ts";
import { addFailbackRoutes } from "../ops/failback-routes.ts";
import { addFailoverRoutes } from "../ops/failover-routes.ts";
import { addFenceRoutes } from "../ops/fence-routes.ts";
import { addHealthRoutes } from "../ops/health.ts";
import type { Operators } from "../ops/operators.ts";
import { addPlaceRoutes } from "../ops/place-routes.ts";
import { addPlayerOpsRoutes } from "../ops/player-routes.ts";
import { addQueueOpsRoutes } from "../ops/queue-routes.ts";
import { addReconcileRoutes } from "../ops/reconcile-routes.ts";
import { addRefusedRoutes } from "../ops/refused-routes.ts";
import { addRouteOpsRoutes } from "../ops/route-routes.ts";
import { addOpsRoutes } from "../ops/routes.ts";
import { addScalingRoutes } from "../ops/scaling-routes.ts";
import { addProfileLinkRoutes, addProfileRoutes } from "../profiles/routes.ts";
import { addPurchaseRoutes } from "../purchases/purchase-routes.ts";
import { addLinkRoutes } from "../regions/link-routes.ts";
import { createLinkServer } from "../regions/link-server.ts";
import { PeerList } from "../regions/peers.ts";
import { LINK_LIMITS, PRIVATE_LIMITS, publicLimits } from "../request-limits.ts";
import { addSyncRoutes } from "../sync/sync-routes.ts";
import { addKeyRoutes } from "../tickets/routes.ts";
import { addValueRoutes } from "../value/value-routes.ts";
import { type Base, plainServer } from "./base.ts";
import type { Players } from "./players.ts";
import type { Regions } from "./regions.ts";

export interface ServerDeps {
  readonly config: CoreConfig;
  readonly base: Base;
  readonly regional: Regions;
  readonly players: Players;
  /** Asked at each request: it is made after its parts, of which these servers are. */
  readonly leadership: () => Leadership;
}

/** For players. */
export function createPublicServing({
  config,
  base,
  regional,
  players,
  leadership,
}: ServerDeps): Serving {
  const { database, tokens, keyring, seen, locator, requests, common, clock, log } = base;
  const { registry, candidates, router, routeMetrics, regions } = regional;
  const { people, gate, purchases, joins, admission, openings } = players;
  const { accounts } = people;
  return new Serving({
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
      onlyTheLeader(server, leadership);
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
}

/** For regions and name servers. */
export function createLinkServing({
  config,
  base,
  regional,
  players,
  leadership,
}: ServerDeps): Serving {
  const { identity, keyring, seen, requests, common, clock } = base;
  const { registry, evacuations, watch, viewPolls } = regional;
  const { value, valueAgain, states } = players;
  const { profiles } = seen;
  return new Serving({
    name: "link server",
    server: createLinkServer({ identity, ...common }),
    caps: new RequestCaps("link", LINK_LIMITS, requests),
    host: config.CORE_LINK_HOST,
    port: config.CORE_LINK_PORT,
    portSetting: "CORE_LINK_PORT",
    clock,
    prepare(server) {
      onlyTheLeader(server, leadership);
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
}

/** For health, metrics and operators. */
export function createPrivateServing(
  deps: ServerDeps & { readonly operators: Operators; readonly publicServing: Serving },
): Serving {
  const { config, base, regional, players, leadership, operators, publicServing } = deps;
  const { database, urgent, calls, keyring, requests, clock, log, metrics } = base;
  const { registry, topologyFile, capacity, evacuations, failovers, router } = regional;
  const { people, admission, openings, refused, reconciler, scaling } = players;
  return new Serving({
    name: "private server",
    server: plainServer(log),
    caps: new RequestCaps("private", PRIVATE_LIMITS, requests),
    host: config.CORE_PRIVATE_HOST,
    port: config.CORE_PRIVATE_PORT,
    portSetting: "CORE_PRIVATE_PORT",
    clock,
    prepare(server) {
      addSecurityHeaders(server);
      const health = { database, urgent, players: publicServing, leadership, metrics };
      addHealthRoutes(server, health);
      onlyTheLeader(server, leadership, "/ops/");
      const build = config.BUILD;
      addOpsRoutes(server, {
        operators,
        registry,
        topologyFile,
        calls,
        keyring,
        database,
        admission,
        leader: () => ({ name: leadership().ownName, term: leadership().lead?.term ?? 0 }),
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
}

/** Answers what begins so only while this core leads, in the moment of the call. */
function onlyTheLeader(server: HttpServer, leadership: () => Leadership, path = "/"): void {
  server.addHook("onRequest", async (request) => {
    if (request.url.startsWith(path)) await leadership().require();
  });
}
