/** `npm run haproxy`: makes, and keeps, the configuration of a region's HAProxy; or makes that of the cores'. */
import { parseArgs } from "node:util";
import { readOpsAccess } from "../../core/ops/access.ts";
import { callOps } from "../../core/ops/cli-client.ts";
import { systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import { haproxyConfig } from "./config.ts";
import { coresCommand } from "./cores-command.ts";
import { follow, nodesOf } from "./follow.ts";

const USAGE = `Usage: npm run haproxy -- --region ID [options]
       npm run haproxy -- cores --help

Prints the configuration of HAProxy in front of a region's nodes, as the core knows them now; with
--out keeps a file up to date until Ctrl-C, and tells a running HAProxy of each change.

Options:
  --region ID         the region
  --bind ADDRESS      what players connect to (:8443)
  --certificate FILE  PEM file with certificate, chain and key; without one plain http
  --socket FILE       HAProxy's own socket (/run/haproxy-meridian.sock)
  --connections N     most connections at a time (100000)
  --out FILE          the file to keep
  --pid-file FILE     of HAProxy's master process: haproxy -W -f FILE -p PIDFILE
  --help              this text

Environment: MERIDIAN_OPS_URL and MERIDIAN_OPERATOR_TOKEN, as for npm run ops.`;

async function main(args: readonly string[]): Promise<void> {
  if (args[0] === "cores") {
    coresCommand(args.slice(1));
    return;
  }
  const { values } = parseArgs({
    args: [...args],
    options: {
      region: { type: "string" },
      bind: { type: "string", default: ":8443" },
      certificate: { type: "string" },
      socket: { type: "string", default: "/run/haproxy-meridian.sock" },
      connections: { type: "string", default: "100000" },
      out: { type: "string" },
      "pid-file": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const regionId = RegionId.safeParse(values.region);
  if (!regionId.success) throw new Error("--region ID is missing, or is no region's id");
  const connectionsMax = Number(values.connections);
  if (!(Number.isInteger(connectionsMax) && connectionsMax > 0)) {
    throw new Error(`--connections ${values.connections} is not a whole number above 0`);
  }
  const { bind, certificate, socket, out } = values;
  const proxy = { bind, certificate, socket, connectionsMax };
  const access = readOpsAccess(process.env);
  const status = () => callOps(access, { path: "/ops/status", answer: StatusAnswer });
  if (out === undefined) {
    process.stdout.write(haproxyConfig(nodesOf(await status(), regionId.data), proxy));
    return;
  }
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"]) process.once(name, () => stop.abort());
  const say = (line: string) => console.log(`${new Date().toISOString()} ${line}`);
  const pidFile = values["pid-file"];
  const clock = systemClock;
  const { signal } = stop;
  await follow({ regionId: regionId.data, proxy, out, pidFile, status, clock, say, signal });
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`✗ ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
