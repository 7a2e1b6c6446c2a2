/** Secrets of a local world: made once, kept in files that only this user reads. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const SECRET_BYTES = 32;

/** The secret in `path`; makes one of 32 random bytes, in base64url, when there is none. */
export function keepSecret(path: string): string {
  if (existsSync(path)) return readFileSync(path, "utf8").trim();
  const secret = randomBytes(SECRET_BYTES).toString("base64url");
  writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: "wx" });
  return secret;
}

/** Writes what another process is to read as `X_FILE`. */
export function writeSecret(path: string, secret: string): void {
  writeFileSync(path, `${secret}\n`, { mode: 0o600 });
}
