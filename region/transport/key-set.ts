/** The core's public keys, by key id, ready for verifying. Empty until the first heartbeat. */
import { createPublicKey, type KeyObject } from "node:crypto";
import type { Jwks } from "../../shared/protocol/ticket.ts";

export class KeySet {
  #keys = new Map<string, KeyObject>();

  /** Takes over a whole new set: keys that are not in it are no longer believed. */
  replace(jwks: Jwks): void {
    this.#keys = new Map(
      jwks.keys.map((jwk) => [jwk.kid, createPublicKey({ key: { ...jwk }, format: "jwk" })]),
    );
  }

  get(keyId: string): KeyObject | undefined {
    return this.#keys.get(keyId);
  }

  get keyIds(): string[] {
    return [...this.#keys.keys()];
  }
}
