/**
 * Where a Redis is: one server, or a group of which Sentinels know the master.
 *
 *     redis://user:password@host:6379/0
 *     redis+sentinel://user:password@host1:26379,host2:26379,host3:26379/name?db=0
 *
 * `rediss` in place of `redis` speaks TLS, to the Sentinels too. User and password are those of Redis; what
 * the Sentinels want is said by `sentinel_username` and `sentinel_password`. All parts are percent-encoded
 * where they hold signs that a URL needs. Without a port a Sentinel is at 26379.
 *
 * A URL is a secret: what is said of a wrong one quotes none of it.
 */
import { z } from "zod";
import { ConfigError } from "../config.ts";

const SENTINEL_PORT = 26_379;
/** More are surely a mistake; each of a process's connections listens to all of them. */
const SENTINELS_MAX = 9;
const GROUP_URL = /^(rediss?)\+sentinel:\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/([^/?#]*)(?:\?([^#]*))?$/i;
const GROUP_NAME = /^[\w.-]+$/;

export interface RedisServer {
  readonly kind: "server";
  readonly url: string;
}

export interface RedisGroup {
  readonly kind: "group";
  /** As the Sentinels call the group. */
  readonly name: string;
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly sentinelUsername?: string;
  readonly sentinelPassword?: string;
}

export type RedisAddress = RedisServer | RedisGroup;

/** A setting that holds such a URL; it stays a text. */
export const redisUrl = z.string().superRefine((text, context) => {
  const problem = problemOf(text);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

/** @throws {ConfigError} when it is none of the forms above */
export function parseRedisUrl(text: string): RedisAddress {
  if (/^rediss?:\/\//i.test(text)) return serverOf(text);
  if (/^rediss?\+sentinel:\/\//i.test(text)) return groupOf(text);
  throw wrong("starts with redis://, rediss://, redis+sentinel:// or rediss+sentinel://");
}

/** The same server or group, its database so many further on. @throws {ConfigError} */
export function databaseOf(text: string, further: number): string {
  const address = parseRedisUrl(text);
  const [base = "", query = ""] = text.split("?");
  if (address.kind === "group") {
    const rest = new URLSearchParams(query);
    rest.set("db", String(address.db + further));
    return `${base}?${rest}`;
  }
  const url = new URL(text);
  const first = Number(url.pathname.slice(1) || "0");
  if (!Number.isInteger(first)) throw wrong("names a database that is no number");
  url.pathname = `/${first + further}`;
  return url.href;
}

function problemOf(text: string): string | undefined {
  try {
    parseRedisUrl(text);
    return undefined;
  } catch (error) {
    return error instanceof ConfigError ? error.problems.join("; ") : "is no URL of a Redis";
  }
}

function serverOf(text: string): RedisServer {
  if (!URL.canParse(text) || new URL(text).hostname === "") throw wrong("is no URL with a host");
  return { kind: "server", url: text };
}

function groupOf(text: string): RedisGroup {
  const parts = GROUP_URL.exec(text);
  if (!parts) {
    throw wrong("is not redis+sentinel://user:password@host:port,host:port/name?db=0");
  }
  const [, scheme = "", access = "", hosts = "", name = "", query = ""] = parts;
  if (!GROUP_NAME.test(name)) throw wrong("needs the name of the group after the Sentinels: /name");
  const sentinels = hosts.split(",").map(sentinelOf);
  if (sentinels.length > SENTINELS_MAX) throw wrong(`names more than ${SENTINELS_MAX} Sentinels`);
  const colon = access.indexOf(":");
  const username = decoded(colon < 0 ? access : access.slice(0, colon));
  const password = decoded(colon < 0 ? "" : access.slice(colon + 1));
  const { db, sentinelUsername, sentinelPassword } = queryOf(query);
  return {
    kind: "group",
    name,
    sentinels,
    tls: scheme.toLowerCase() === "rediss",
    db,
    ...(username !== "" && { username }),
    ...(password !== "" && { password }),
    ...(sentinelUsername && { sentinelUsername }),
    ...(sentinelPassword && { sentinelPassword }),
  };
}

function sentinelOf(text: string): { host: string; port: number } {
  const url = URL.canParse(`redis://${text}`) ? new URL(`redis://${text}`) : undefined;
  if (!url || url.hostname === "" || url.port === "0") {
    throw wrong("names a Sentinel that is no host:port");
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host, port: url.port === "" ? SENTINEL_PORT : Number(url.port) };
}

function queryOf(text: string) {
  const query = new URLSearchParams(text);
  const known = ["db", "sentinel_username", "sentinel_password"];
  if ([...query.keys()].some((key) => !known.includes(key))) {
    throw wrong(`knows no settings after the "?" but ${known.join(", ")}`);
  }
  const db = query.get("db") ?? "0";
  if (!/^\d{1,4}$/.test(db)) throw wrong("names a database that is no number");
  return {
    db: Number(db),
    sentinelUsername: query.get("sentinel_username"),
    sentinelPassword: query.get("sentinel_password"),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong("has a % that encodes nothing");
  }
}

function wrong(problem: string): ConfigError {
  return new ConfigError([problem]);
}
