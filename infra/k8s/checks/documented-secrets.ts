/** The Secrets that docs/kubernetes.md has an operator make: names and keys, read from its commands. */
import { readFileSync } from "node:fs";
import type { Secrets } from "./references.ts";

const PAGE = new URL("../../../docs/kubernetes.md", import.meta.url);
const CREATE = /kubectl .*?create secret (generic|tls) ([a-z0-9-]+)(.*)$/gm;
const KEY = /--from-(?:file|literal)=([a-z0-9.-]+)=/g;

/** @throws when one is made twice: which one would count? */
export function documentedSecrets(page = readFileSync(PAGE, "utf8")): Secrets {
  const secrets = new Map<string, ReadonlySet<string>>();
  const commands = page.replaceAll(/\\\n\s*/g, "");
  for (const [, type, name = "", rest = ""] of commands.matchAll(CREATE)) {
    if (secrets.has(name)) throw new Error(`docs/kubernetes.md makes the Secret ${name} twice`);
    const keys = [...rest.matchAll(KEY)].map(([, key = ""]) => key);
    secrets.set(name, new Set(type === "tls" ? ["tls.crt", "tls.key"] : keys));
  }
  return secrets;
}
