/** Where operators' commands find the core, and with which token. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { OpsClientOptions } from "./cli-client.ts";

/** The local world's. */
export const OPS_URL_DEFAULT = "http://127.0.0.1:7302";
const TOKEN_FILE = join(import.meta.dirname, "../../.meridian/local/operator-token");

/** @throws one clear line that names the variable to set */
export function readOpsAccess(env: Readonly<Record<string, string | undefined>>): OpsClientOptions {
  const url = env.MERIDIAN_OPS_URL || OPS_URL_DEFAULT;
  if (!URL.canParse(url)) throw new Error(`MERIDIAN_OPS_URL is not a URL: ${url}`);
  return { url, token: readToken(env) };
}

function readToken(env: Readonly<Record<string, string | undefined>>): string {
  const given = env.MERIDIAN_OPERATOR_TOKEN;
  if (given) return given.trim();
  const file = env.MERIDIAN_OPERATOR_TOKEN_FILE || TOKEN_FILE;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
    throw new Error(`no operator token: set MERIDIAN_OPERATOR_TOKEN (${file}: ${why})`, { cause });
  }
}
