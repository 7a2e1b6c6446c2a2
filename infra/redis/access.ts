/**
 * Who may do what in a region's Redis: `region.acl`, which operators load as Redis' `aclfile`.
 *
 * Nobody gets in without a password, and nodes reach only keys and channels under `meridian:`, with no
 * command that empties, configures, watches or stops the server. For whoever reads a node's memory that
 * is still everything the region keeps there: nothing of value lives only in it.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

export const REGION_USER = "region";

/** The text of the ACL file for nodes that have this password. */
export function regionAcl(password: string): string {
  const template = readFileSync(new URL("./region.acl", import.meta.url), "utf8");
  return template.replace("PASSWORD_SHA256", createHash("sha256").update(password).digest("hex"));
}
