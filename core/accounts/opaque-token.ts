/**
 * Opaque secrets that we issue: 32 random bytes as base64url. Only their SHA-256 is stored, which is
 * enough against a stolen table: 256 random bits can't be guessed, so no slow hash is needed.
 */
import { createHash } from "node:crypto";
import type { RandomBytes } from "../tickets/master-key.ts";

const SECRET_BYTES = 32;

export function newSecret(random: RandomBytes): string {
  return random(SECRET_BYTES).toString("base64url");
}

export function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
