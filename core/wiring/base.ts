/** What every core process has, whether it leads or follows: the database, keys, caches that are kept warm. */
import { hostname } from "node:os";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { createHttpServer, type HttpServerOptions } from "../../shared/http-server.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { LinkCredentials } from "../../shared/link/credentials.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { IdentityFiles } from "../../shared/link/identity-files.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { jwksFetches } from "../accounts/jwks-source.ts";
import type { CoreConfig } from "../config.ts";
import { Database } from "../db/database.ts";
import { readMigrations } from "../db/migrate.ts";
import { UrgentConnections } from "../db/urgent-connections.ts";
import { GeoLocator } from "../gslb/geo-locator.ts";
import { CallGate } from "../http/call-gate.ts";
import { Outbound } from "../http/outbound.ts";
import { capMetrics } from "../http/request-caps.ts";
import { createProfileParts } from "../profiles/profile-parts.ts";
import { NodeCalls } from "../regions/node-calls.ts";
import type { Topology } from "../regions/topology.ts";
import { Keyring } from "../tickets/keyring.ts";
import { type RandomBytes, Vault } from "../tickets/master-key.ts";
import { SignedTokens } from "../tickets/signed-tokens.ts";

const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;

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

export type Base = ReturnType<typeof createBase>;
/** What almost every part is given. */
export type Common = Base["common"];

export function createBase(config: CoreConfig, deps: CoreDeps) {
  const { topology, identity, readIdentity, clock, random, log } = deps;
  const metrics = createMetrics({ process: "core" });
  const common = { clock, log, metrics };
  const database = new Database({
    url: config.DATABASE_URL,
    ownerUrl: config.DATABASE_MIGRATE
      ? (config.DATABASE_OWNER_URL ?? config.DATABASE_URL)
      : undefined,
    connectionsMax: config.DATABASE_CONNECTIONS,
    startDeadlineMs: config.DATABASE_WAIT_MS,
    migrations: readMigrations(),
    ...common,
  });
  const urgent = new UrgentConnections({
    url: config.DATABASE_URL,
    log,
    greet: (client) => database.greet(client),
    onAnswered: () => database.noteAnswer(),
  });
  const vault = new Vault(config.MASTER_KEY, random);
  const keyring = new Keyring({ database, vault, clock, random });
  const tokens = new SignedTokens({
    keyring,
    clock,
    random,
    accessTtlMs: config.ACCESS_TOKEN_TTL_MS,
    ticketTtlMs: config.TICKET_TTL_MS,
  });
  const clients = {
    reserves: new LinkClient(identity, clock, { callsMax: config.RESERVES_PER_NODE_MAX }),
    others: new LinkClient(identity, clock),
  };
  const outbound = new Outbound(metrics);
  outbound.watch("nodes, for seats", () => clients.reserves.openBreakers);
  outbound.watch("nodes, for the rest", () => clients.others.openBreakers);
  const seen = createProfileParts(config, { database, random, ...common });
  const overrides = [...config.GEO_OVERRIDES_FILE, ...config.GEO_OVERRIDES];
  const locator = new GeoLocator(overrides, topology.core);
  const parts: readonly Part[] = [
    locator,
    database,
    urgent,
    keyring,
    ...seen.parts,
    new IdentityFiles({ identity, read: readIdentity, ...common }),
    { name: "link client of reserves", stop: () => clients.reserves.stop() },
    { name: "link client", stop: () => clients.others.stop() },
  ];
  return {
    ...common,
    common,
    random,
    identity,
    topology,
    database,
    urgent,
    vault,
    keyring,
    tokens,
    clients,
    calls: new NodeCalls(clients),
    outbound,
    fetches: jwksFetches(metrics),
    seen,
    locator,
    parts,
    callGate: (calls: string, underWayMax: number) =>
      new CallGate({ calls, underWayMax, ...common }),
    requests: { clock, log, metrics: capMetrics(metrics) },
  };
}

/** A server as players' and operators' are. */
export function plainServer(
  log: Logger,
  bounds: Pick<HttpServerOptions, "trustedProxies" | "connectionsMax"> = {},
) {
  return createHttpServer({
    log,
    bodyBytesMax: BODY_BYTES_MAX,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    ...bounds,
  });
}

/** What a core is called: no two that run have one host and one private port. */
export function coreName(config: CoreConfig, privatePort: number): string {
  return config.CORE_NAME ?? `${hostname()}:${privatePort}`;
}
