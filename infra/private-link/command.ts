/** What `npm run authority` does with its arguments; `main.ts` runs it. */
import { parseArgs } from "node:util";
import { RegionId } from "../../shared/ids.ts";
import { NameServerId, type Peer } from "../../shared/link/peer.ts";
import {
  createAuthority,
  loadAuthority,
  peerFileName,
  retireFormer,
  rotateAuthority,
  saveAuthority,
  saveIssued,
} from "./authority.ts";

export const USAGE = `Usage: npm run authority -- COMMAND --dir DIR [options]

The private link's certificate authority: without a certificate of it nobody speaks on the link.

Commands:
  init                make an authority: DIR/ca.pem and DIR/ca.key (keep the key to yourself)
  issue core          make DIR/core.pem and DIR/core.key
  issue region ID     make DIR/region-ID.pem and DIR/region-ID.key
  issue dns NAME      make DIR/dns-NAME.pem and DIR/dns-NAME.key, for the responder beside a name server
  rotate              begin to replace the authority: DIR/ca.pem then trusts both; give it to every
                      process, issue new certificates to all, then retire
  retire              end that: DIR/ca.pem trusts the new one alone

Options:
  --dir DIR           the authority's folder
  --host NAME         a host name or IP address of the peer besides localhost; may be repeated
  --days N            how long the certificate is valid, 1 to 3650; 365 by default
  --help              this text`;

/** A mistake in the arguments; the command ends with 2. */
export class UsageError extends Error {}

const DAYS_MAX = 3_650;
const OPTIONS = {
  dir: { type: "string" },
  host: { type: "string", multiple: true },
  days: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

/**
 * Runs one command and answers what to print.
 * @throws {UsageError} for wrong arguments; any other error with one clear line
 */
export async function runAuthority(args: readonly string[]): Promise<string> {
  const { values, positionals } = parse(args);
  if (values.help) return USAGE;
  const [command, ...words] = positionals;
  if (command === undefined) throw new UsageError("say what to do: init, issue, rotate or retire");
  const dir = values.dir;
  if (!dir) throw new UsageError("--dir DIR is missing");
  if (command === "init") {
    if (words.length > 0) throw new UsageError(`init takes no "${words.join(" ")}"`);
    saveAuthority(dir, await createAuthority());
    return `made ${dir}/ca.pem and ${dir}/ca.key`;
  }
  if (command === "rotate" || command === "retire") {
    if (words.length > 0) throw new UsageError(`${command} takes no "${words.join(" ")}"`);
    if (command === "rotate") await rotateAuthority(dir);
    else retireFormer(dir);
    return `changed ${dir}/ca.pem: give it to every process`;
  }
  if (command !== "issue") throw new UsageError(`there is no command "${command}"`);
  const peer = parsePeer(words);
  const authority = await loadAuthority(dir);
  const days = parseDays(values.days);
  const issued = await authority.issue(peer, {
    hosts: values.host ?? [],
    ...(days === undefined ? {} : { days }),
  });
  const name = peerFileName(peer);
  saveIssued(dir, name, issued);
  return `made ${dir}/${name}.pem and ${dir}/${name}.key`;
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function parsePeer(words: readonly string[]): Peer {
  const [role, id, ...more] = words;
  if (more.length > 0) throw new UsageError(`issue takes no "${more.join(" ")}"`);
  if (role === "core" && id === undefined) return { role: "core" };
  if (role === "region" && id !== undefined) {
    const regionId = RegionId.safeParse(id);
    if (regionId.success) return { role: "region", regionId: regionId.data };
    throw new UsageError(`"${id}" is no region: ${regionId.error.issues[0]?.message ?? "a slug"}`);
  }
  if (role === "dns" && id !== undefined) {
    const nameServer = NameServerId.safeParse(id);
    if (nameServer.success) return { role: "dns", nameServer: nameServer.data };
    throw new UsageError(`"${id}": ${nameServer.error.issues[0]?.message ?? "no name"}`);
  }
  throw new UsageError("say whom to issue to: core, region ID, or dns NAME");
}

function parseDays(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= DAYS_MAX) return days;
  throw new UsageError(`--days ${text} is not a whole number from 1 to ${DAYS_MAX}`);
}
