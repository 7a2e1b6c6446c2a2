/** The world's name server: PowerDNS on 127.0.0.1, and the responder beside it that decides. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../shared/clock.ts";
import { PDNS_LOG, startPdns, stopLeftoverPdns } from "../dns/server.ts";
import { watchLog } from "../process/log-file.ts";
import { PRIVATE_HOST } from "./addresses.ts";
import type { NameServerPorts } from "./ports.ts";
import { type ProcessContext, type ProcessHandle, responderProcess } from "./processes.ts";
import { worldFiles } from "./settings.ts";
import { Supervisor } from "./supervisor.ts";

export interface NameServer {
  readonly port: number;
  /** What players look up. */
  readonly play: string;
  readonly responder: ProcessHandle;
  /** Of the responder: health and metrics. */
  readonly privateUrl: string;
  readonly powerDns: ProcessHandle;
}

const ZONE = "meridian.test";
const PLAY = `play.${ZONE}`;
const PDNS_DIR = "pdns";

/** Starts both; resolves when the zone is answered for. */
export async function startNameServer(
  context: ProcessContext,
  ports: NameServerPorts,
  serverPath: string,
): Promise<NameServer> {
  const { plan, parts } = context;
  const { dns: dir, responderSocket } = worldFiles(plan.dir);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const responder = responderProcess({ zone: ZONE, ports }, context);
  await parts.start(responder);
  const pdnsDir = join(dir, PDNS_DIR);
  const supervisor = new Supervisor({
    name: "powerdns",
    consequence: "look-ups fail, who knows an address plays on",
    restartDelayMs: parts.restartDelayMs,
    clock: systemClock,
    report: parts.report,
    start: (signal) =>
      startPdns({
        dir: pdnsDir,
        serverPath,
        address: PRIVATE_HOST,
        port: ports.dns,
        responderSocket,
        zone: ZONE,
        signal,
      }),
  });
  await parts.start({ supervisor, detail: () => `${PRIVATE_HOST}:${ports.dns}` });
  parts.onStop(watchLog(join(pdnsDir, PDNS_LOG)));
  const { handle, privateUrl } = responder;
  return { port: ports.dns, play: PLAY, responder: handle, privateUrl, powerDns: supervisor };
}

/** Ends a PowerDNS that a killed world left in `dir`. */
export async function endLeftoverNameServer(dir: string): Promise<void> {
  await stopLeftoverPdns(join(worldFiles(dir).dns, PDNS_DIR));
}
