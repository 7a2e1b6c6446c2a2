/** For tests: a responder in this process, with a certificate of a test's core, and real PowerDNS to ask it. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findPdnsServer } from "../../infra/dns/server.ts";
import { systemClock } from "../../shared/clock.ts";
import { readConfig } from "../../shared/config.ts";
import { startAll, stopAll } from "../../shared/lifecycle.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { NameServerId } from "../../shared/link/peer.ts";
import { createLog } from "../../shared/log.ts";
import type { TestCore } from "../test-core.ts";
import { dnsSettings } from "./config.ts";
import { createResponder } from "./responder.ts";
import type { ViewStatus } from "./view-keeper.ts";

export interface TestResponder {
  readonly socket: string;
  readonly privateUrl: string;
  status(): ViewStatus;
  stop(): Promise<void>;
}

/** @param dir holds its socket and its view, which the next one begins with */
export async function startTestResponder(
  core: Pick<TestCore, "authority" | "linkAddress">,
  dir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<TestResponder> {
  const peer = { role: "dns", nameServer: NameServerId.parse("ns1") } as const;
  const issued = { ca: core.authority.caPem, ...(await core.authority.issue(peer)) };
  const identity = new LinkIdentity(issued);
  const socket = join(dir, "responder.sock");
  const config = readConfig(dnsSettings, {
    DNS_SOCKET: socket,
    DNS_VIEW_FILE: join(dir, "view.json"),
    DNS_PRIVATE_PORT: "0",
    CORE_LINK_ADDRESS: core.linkAddress,
    // Given as credentials; the settings are required all the same.
    LINK_CA_FILE: "unused",
    LINK_CERT_FILE: "unused",
    LINK_KEY_FILE: "unused",
    LOG_LEVEL: "silent",
    ...env,
  });
  const log = createLog("dns", config.LOG_LEVEL);
  const responder = createResponder(config, {
    identity,
    readIdentity: () => identity.current,
    clock: systemClock,
    random: Math.random,
    log,
  });
  await startAll(responder.parts, log);
  return {
    socket,
    privateUrl: `http://127.0.0.1:${responder.privateServing.port}`,
    status: responder.status,
    stop: () => stopAll(responder.parts, log),
  };
}

/**
 * Whether tests with PowerDNS can run here: why not, or false. Where everything is installed first
 * (`CI` is set) they have to.
 */
export function skipWithoutDns(): string | false {
  const asked = spawnSync("dig", ["-v"], { timeout: 10_000 });
  const dig = asked.error ? 'dig is not installed ("apt-get install bind9-dnsutils")' : undefined;
  const problem = dig ?? pdnsProblem();
  if (problem !== undefined && process.env.CI) throw new Error(problem);
  return problem ?? false;
}

function pdnsProblem(): string | undefined {
  try {
    findPdnsServer(process.env);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
