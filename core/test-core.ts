/** For tests: a whole core on free ports, with a real database and a real CA. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Authority, createAuthority } from "../infra/private-link/authority.ts";
import { type Clock, systemClock } from "../shared/clock.ts";
import { readConfig } from "../shared/config.ts";
import { startAll, stopAll } from "../shared/lifecycle.ts";
import { LinkIdentity } from "../shared/link/identity.ts";
import { createLog } from "../shared/log.ts";
import { GRACE_MS } from "../shared/protocol/link.ts";
import { coreSettings } from "./config.ts";
import { createCore } from "./core.ts";
import { createMigratedDatabase } from "./db/test-database.ts";
import type { ByHand } from "./failover/by-hand.ts";
import type { Leadership } from "./leadership/leadership.ts";
import { loadTopology, Topology } from "./regions/topology.ts";

export const OPERATOR_TOKEN = "operator-token-for-tests";

export interface TestCore {
  /** Of the players' API. */
  readonly url: string;
  readonly privateUrl: string;
  /** `host:port` of the link. */
  readonly linkAddress: string;
  /** Of the schema's owner. */
  readonly databaseUrl: string;
  readonly authority: Authority;
  readonly identity: LinkIdentity;
  readonly failovers: ByHand;
  readonly leadership: Leadership;
  /** Names of what it starts, in that order. */
  readonly parts: readonly string[];
  /** Every route of its servers. */
  readonly routes: readonly TestRoute[];
  /** The path of the file that the core follows. */
  readonly topologyFile: string;
  stop(): Promise<void>;
}

export interface TestRoute {
  readonly server: string;
  /** Method and path. */
  readonly route: string;
  readonly cappedBy: string | undefined;
}

/** Shanghai and Beijing; whoever calls from 127.0.0.1 is in Hangzhou, near Shanghai. */
export const testTopology: Topology = Topology.parse({
  core: { name: "Shanghai", latitude: 31.23, longitude: 121.47 },
  regions: [
    { id: "beijing", name: "Beijing", latitude: 39.9, longitude: 116.4, capacity: 100 },
    { id: "shanghai", name: "Shanghai", latitude: 31.23, longitude: 121.47, capacity: 100 },
  ],
});

/**
 * @param env settings that differ from the tests' own
 * @param authority that of a former life of the core, whose regions go on
 * @param clock the system's by default
 */
export async function startTestCore(
  env: Record<string, string> = {},
  authority?: Authority,
  clock: Clock = systemClock,
): Promise<TestCore> {
  return await start(env, authority ?? (await createAuthority()), clock);
}

async function start(
  env: Record<string, string>,
  authority: Authority,
  clock: Clock,
): Promise<TestCore> {
  const created = env.DATABASE_URL
    ? { url: env.DATABASE_URL, workingUrl: env.DATABASE_URL, drop: async () => {} }
    : await createMigratedDatabase();
  const issued = { ca: authority.caPem, ...(await authority.issue({ role: "core" })) };
  const identity = new LinkIdentity(issued);
  const dir = mkdtempSync(join(tmpdir(), "meridian-test-core-"));
  const topologyFile = join(dir, "topology.json");
  writeFileSync(topologyFile, JSON.stringify(testTopology));
  const config = readConfig(coreSettings, {
    DATABASE_URL: created.workingUrl,
    DATABASE_OWNER_URL: created.url,
    DATABASE_WAIT_MS: "0",
    MASTER_KEY: randomBytes(32).toString("base64"),
    CORE_PORT: "0",
    CORE_LINK_PORT: "0",
    CORE_PRIVATE_PORT: "0",
    // Given as credentials below; the settings are required all the same.
    LINK_CA_FILE: "unused",
    LINK_CERT_FILE: "unused",
    LINK_KEY_FILE: "unused",
    GEO_OVERRIDES: "127.0.0.0/8=30.27,120.16,Hangzhou",
    LOG_LEVEL: "silent",
    ADMISSION_HEADROOM: "0",
    // Test regions send heartbeats when they are asked to: none is in doubt before it is down, nor after it.
    DETECTOR_LOOK_AFTER_MS: String(GRACE_MS),
    DETECTOR_CALM_MS: "0",
    OPERATOR_TOKEN,
    TOPOLOGY_FILE: topologyFile,
    ...env,
  });
  const log = createLog("core", config.LOG_LEVEL);
  const core = createCore(config, {
    topology: loadTopology(config.TOPOLOGY_FILE),
    identity,
    readIdentity: () => identity.current,
    clock,
    random: randomBytes,
    log,
  });
  const routes: TestRoute[] = [];
  for (const { name, server } of [core.publicServing, core.linkServing, core.privateServing]) {
    server.addHook("onRoute", ({ method, url, config }) => {
      routes.push({ server: name, route: `${method} ${url}`, cappedBy: config?.cappedBy });
    });
  }
  try {
    await startAll(core.parts, log);
  } catch (error) {
    await created.drop();
    rmSync(dir, { recursive: true });
    throw error;
  }
  return {
    url: `http://127.0.0.1:${core.publicServing.port}`,
    privateUrl: `http://127.0.0.1:${core.privateServing.port}`,
    linkAddress: `127.0.0.1:${core.linkServing.port}`,
    databaseUrl: created.url,
    authority,
    identity,
    failovers: core.failovers,
    leadership: core.leadership,
    parts: core.parts.flatMap((part) =>
      part.name === core.leadership.name ? core.leaderParts.map(({ name }) => name) : part.name,
    ),
    routes,
    topologyFile: config.TOPOLOGY_FILE,
    async stop() {
      await stopAll(core.parts, log);
      await created.drop();
      rmSync(dir, { recursive: true });
    },
  };
}
