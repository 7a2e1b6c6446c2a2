/** `npm run haproxy -- cores`: the configuration of HAProxy in front of the cores. */
import { renameSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { coresConfig, type ProxiedCore } from "./cores.ts";

export const CORES_USAGE = `Usage: npm run haproxy -- cores --core NAME=HOST --core NAME=HOST [options]

Prints the configuration of HAProxy in front of several cores: players, regions and operators reach the one that
leads. Set each core's TRUSTED_PROXIES to HAProxy's address, regions' CORE_LINK_ADDRESS to its address for
them, and MERIDIAN_OPS_URL to its address for operators.

Options:
  --core NAME=HOST[:PORT:LINK:PRIVATE]
                         a core, and its ports for players, regions and operators (7300:7301:7302); for each one
  --bind ADDRESS         what players connect to (:8443)
  --link-bind ADDRESS    what regions and name servers connect to (:7301)
  --ops-bind ADDRESS     what operators connect to, never a public address (127.0.0.1:7302)
  --certificate FILE     PEM file with certificate, chain and key for players; without one plain http
  --socket FILE          HAProxy's own socket (/run/haproxy-meridian.sock)
  --connections N        most connections at a time (100000)
  --out FILE             write the file instead
  --help                 this text`;

const PORTS_DEFAULT = [7_300, 7_301, 7_302] as const;
const CORE = /^([A-Za-z0-9._-]+)=([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\])(?::(\d+):(\d+):(\d+))?$/;

/** @throws one clear line about what is wrong */
export function coresCommand(args: readonly string[]): void {
  const { values } = parseArgs({
    args: [...args],
    options: {
      core: { type: "string", multiple: true, default: [] },
      bind: { type: "string", default: ":8443" },
      "link-bind": { type: "string", default: ":7301" },
      "ops-bind": { type: "string", default: "127.0.0.1:7302" },
      certificate: { type: "string" },
      socket: { type: "string", default: "/run/haproxy-meridian.sock" },
      connections: { type: "string", default: "100000" },
      out: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(CORES_USAGE);
    return;
  }
  const connectionsMax = Number(values.connections);
  if (!(Number.isInteger(connectionsMax) && connectionsMax > 0)) {
    throw new Error(`--connections ${values.connections} is not a whole number above 0`);
  }
  const config = coresConfig(readCores(values.core), {
    bind: values.bind,
    linkBind: values["link-bind"],
    opsBind: values["ops-bind"],
    certificate: values.certificate,
    socket: values.socket,
    connectionsMax,
  });
  if (values.out === undefined) {
    process.stdout.write(config);
    return;
  }
  writeFileSync(`${values.out}.next`, config);
  renameSync(`${values.out}.next`, values.out);
}

/** @throws one clear line */
export function readCores(texts: readonly string[]): ProxiedCore[] {
  if (texts.length === 0) throw new Error("--core NAME=HOST is missing");
  const cores = texts.map((text): ProxiedCore => {
    const [, name, host, ...ports] = CORE.exec(text) ?? [];
    if (!name || !host) throw new Error(`--core ${text} is not NAME=HOST[:PORT:LINK:PRIVATE]`);
    const [port, linkPort, privatePort] = PORTS_DEFAULT.map((usual, index) =>
      Number(ports[index] ?? usual),
    ) as [number, number, number];
    return { name, host, port, linkPort, privatePort };
  });
  if (new Set(cores.map(({ name }) => name)).size < cores.length) {
    throw new Error("two cores have one name");
  }
  return cores;
}
