/**
 * The files of a group of Redis servers with Sentinels, from the templates beside this one: operators fill
 * in their capital words by whatever they use for that, and the tests start a real group from the very same.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { aclOf, type RedisUser } from "./access.ts";

/** Who gets in where. */
export interface GroupPasswords {
  /** Nodes, or the core, into Redis. */
  readonly user: string;
  /** A replica into its master. */
  readonly replica: string;
  /** Sentinels into Redis. */
  readonly sentinel: string;
  /** Sentinels into each other. */
  readonly peer: string;
  /** Nodes, or the core, into Sentinels. */
  readonly node: string;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** Where it keeps its data; a folder of its own. */
  readonly dir: string;
  readonly aclFile: string;
}

/** `redis.conf` of one server of the group. */
export function groupServerConfig(at: Listening, passwords: GroupPasswords): string {
  return filled("group.conf", { ...wordsOf(at), REPLICA_PASSWORD: passwords.replica });
}

/** The ACL file of each server of the group. */
export function groupServerAcl(user: RedisUser, passwords: GroupPasswords): string {
  const more = filled("group.acl", {
    REPLICA_SHA256: sha256(passwords.replica),
    SENTINEL_SHA256: sha256(passwords.sentinel),
  });
  return aclOf(user, passwords.user) + more;
}

/** `sentinel.conf` of one Sentinel of the group. */
export function sentinelConfig(
  at: Listening,
  passwords: GroupPasswords,
  group: {
    readonly name: string;
    readonly master: { readonly host: string; readonly port: number };
  },
): string {
  return filled("sentinel.conf", {
    ...wordsOf(at),
    PEER_PASSWORD: passwords.peer,
    SENTINEL_PASSWORD: passwords.sentinel,
    MASTER_HOST: group.master.host,
    MASTER_PORT: `${group.master.port}`,
    NAME: group.name,
  });
}

/** The ACL file of each Sentinel. */
export function sentinelAcl(passwords: GroupPasswords): string {
  return filled("sentinel.acl", {
    PEER_SHA256: sha256(passwords.peer),
    NODE_SHA256: sha256(passwords.node),
  });
}

function wordsOf({ host, port, dir, aclFile }: Listening): Record<string, string> {
  return { PORT: `${port}`, BIND: host, ANNOUNCE_HOST: host, DIR: dir, ACL_FILE: aclFile };
}

/** Comments stay as they are. */
function filled(file: string, words: Readonly<Record<string, string>>): string {
  const template = readFileSync(new URL(`./${file}`, import.meta.url), "utf8");
  const lines = template.split("\n").map((line) => {
    if (line.startsWith("#")) return line;
    return line.replace(/\b[A-Z][A-Z0-9_]+\b/g, (word) => words[word] ?? word);
  });
  return lines.join("\n");
}

function sha256(password: string): string {
  return createHash("sha256").update(password).digest("hex");
}
