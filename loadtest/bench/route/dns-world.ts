/**
 * What the name server's figures are measured on: a core with 30 regions that tell of themselves, the
 * responder as a process of its own, PowerDNS in front of it; and the same PowerDNS with a static zone from
 * a file, which is what the remote backend costs nothing in.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startTestCore, type TestCore } from "../../../core/test-core.ts";
import { startTestRegion, type TestRegion } from "../../../core/test-region.ts";
import { pdnsConfig } from "../../../infra/dns/config.ts";
import { findPdnsServer, runPdns, startPdns } from "../../../infra/dns/server.ts";
import { startNodeProcess } from "../../../infra/local/node-process.ts";
import { saveIssued } from "../../../infra/private-link/authority.ts";
import { freePorts } from "../../../infra/process/port.ts";
import { NameServerId } from "../../../shared/link/peer.ts";

export const ZONE = "meridian.test";
export const PLAY = `play.${ZONE}`;
/** Next to where this machine's questions come from. */
export const NEAREST = "r00";
export const NEAREST_ADDRESS = "203.0.113.1";

const HOST = "127.0.0.1";
const REGIONS = 30;
const RESPONDER = fileURLToPath(new URL("../../../core/dns/main.ts", import.meta.url));

export interface DnsWorld {
  readonly core: TestCore;
  readonly port: number;
  /** Of the PowerDNS with the static zone. */
  readonly floorPort: number;
  stop(): Promise<void>;
}

export async function startDnsWorld(
  dir: string,
  databaseUrl: string,
  signal: AbortSignal,
): Promise<DnsWorld> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const one of stops.reverse()) await one();
  };
  try {
    const topologyFile = join(dir, "topology.json");
    writeFileSync(topologyFile, JSON.stringify(topology()));
    const core = await startTestCore({ DATABASE_URL: databaseUrl, TOPOLOGY_FILE: topologyFile });
    stops.push(() => core.stop());
    const regions: TestRegion[] = [];
    stops.push(async () => {
      await Promise.all(regions.map((region) => region.stop()));
    });
    for (const { id: name } of topology().regions) {
      const region = await startTestRegion({ core, name });
      regions.push(region);
      await region.beat();
    }
    const [port = 0, floorPort = 0, privatePort = 0] = await freePorts(3);
    const responderSocket = await startResponder({ core, dir, privatePort, signal, stops });
    const serverPath = findPdnsServer(process.env);
    const common = { serverPath, address: HOST, zone: ZONE, signal };
    const ours = await startPdns({ ...common, dir: join(dir, "pdns"), port, responderSocket });
    stops.push(() => ours.stop());
    const floorDir = join(dir, "floor");
    const config = staticConfig(floorDir, floorPort);
    const floor = await runPdns(config, { ...common, dir: floorDir, port: floorPort });
    stops.push(() => floor.stop());
    return { core, port, floorPort, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Spread over the globe as a sunflower's seeds, so that none is another's equal; the first is in London. */
function topology() {
  const regions = Array.from({ length: REGIONS }, (_, index) => ({
    id: `r${String(index).padStart(2, "0")}`,
    name: `Region ${index}`,
    latitude: index === 0 ? 51.5 : (Math.asin(1 - (2 * index) / REGIONS) * 180) / Math.PI,
    longitude: index === 0 ? 0 : ((index * 137.508) % 360) - 180,
    capacity: 1_000,
    publicAddresses: [`203.0.113.${index + 1}`, `2001:db8:${index + 1}::1`],
  }));
  return { core: { name: "London", latitude: 51.5, longitude: 0 }, regions };
}

async function startResponder(given: {
  readonly core: TestCore;
  readonly dir: string;
  readonly privatePort: number;
  readonly signal: AbortSignal;
  readonly stops: (() => Promise<void>)[];
}): Promise<string> {
  const { core, dir, privatePort, signal, stops } = given;
  const peer = { role: "dns", nameServer: NameServerId.parse("ns1") } as const;
  const link = join(dir, "link");
  saveIssued(link, "dns", await core.authority.issue(peer));
  writeFileSync(join(link, "ca.pem"), core.authority.caPem);
  const socket = join(dir, "responder.sock");
  const responder = await startNodeProcess({
    file: RESPONDER,
    env: {
      DNS_SOCKET: socket,
      DNS_VIEW_FILE: join(dir, "view.json"),
      DNS_PRIVATE_PORT: String(privatePort),
      CORE_LINK_ADDRESS: core.linkAddress,
      LINK_CA_FILE: join(link, "ca.pem"),
      LINK_CERT_FILE: join(link, "dns.pem"),
      LINK_KEY_FILE: join(link, "dns.key"),
      LOG_LEVEL: "warn",
    },
    logFile: join(dir, "dns.log"),
    readyUrl: `http://${HOST}:${privatePort}/readyz`,
    signal,
    onSpawned: () => {},
  });
  stops.push(() => responder.stop());
  return socket;
}

/** The same settings, with one record from a file in place of the responder. */
function staticConfig(dir: string, port: number): string {
  mkdirSync(dir, { recursive: true });
  const zone = join(dir, "zone");
  writeFileSync(
    zone,
    `$ORIGIN ${ZONE}.\n@ 20 IN SOA ns1 hostmaster 1 3600 600 86400 5\n@ 20 IN NS ns1\n` +
      `ns1 20 IN A ${HOST}\nplay 20 IN A ${NEAREST_ADDRESS}\nplay 20 IN AAAA 2001:db8:1::1\n`,
  );
  const named = join(dir, "named.conf");
  writeFileSync(named, `zone "${ZONE}" { type master; file "${zone}"; };\n`);
  const config = pdnsConfig({ responderSocket: "none", addresses: [HOST], port, socketDir: "." });
  const rest = config.split("\n").filter((line) => !/^(launch|remote-)/.test(line));
  return ["launch=bind", `bind-config=${named}`, ...rest].join("\n");
}
