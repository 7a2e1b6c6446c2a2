/**
 * Who may do what in our Redis servers: `region.acl` in a region's, `core.acl` in the core's, which
 * operators load as Redis' `aclfile`.
 *
 * Nobody gets in without a password. Nodes reach only keys and channels under `meridian:`, the core only
 * keys under `meridian:core:`, and neither has a command that empties, configures, watches or stops the
 * server. For whoever reads such a process's memory that is still everything it keeps there: nothing of
 * value lives only in it.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Whose Redis it is, which is also the name of its user. */
export type RedisUser = "region" | "core";

/** The text of the ACL file for processes that have this password. */
export function aclOf(user: RedisUser, password: string): string {
  const template = readFileSync(new URL(`./${user}.acl`, import.meta.url), "utf8");
  return template.replace("PASSWORD_SHA256", createHash("sha256").update(password).digest("hex"));
}
