/**
 * What is derived from `MASTER_KEY`, the core's one root secret: a key per purpose, by HKDF-SHA256, so
 * that a leak or a misuse of one tells nothing about another.
 *
 * Losing the master key makes the stored signing keys unreadable (new ones must be made, and everyone
 * logs in again); changing it does the same.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  timingSafeEqual,
} from "node:crypto";

/** `count` unpredictable bytes. */
export type RandomBytes = (count: number) => Buffer;

export const MASTER_KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals small secrets for storage, with AES-256-GCM. */
export class Vault {
  readonly #key: Buffer;
  readonly #random: RandomBytes;

  constructor(master: Buffer, random: RandomBytes) {
    this.#key = deriveKey(master, "vault");
    this.#random = random;
  }

  /** @param label bound to the secret: it opens only under the same one */
  seal(secret: string, label: string): Buffer {
    const nonce = this.#random(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    cipher.setAAD(Buffer.from(label));
    const sealed = Buffer.concat([cipher.update(secret, "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  /** The secret, or undefined when it was sealed under another key or label, or was changed. */
  open(sealed: Buffer, label: string): string | undefined {
    if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const decipher = createDecipheriv("aes-256-gcm", this.#key, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(label));
    decipher.setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES));
    try {
      return Buffer.concat([text, decipher.final()]).toString("utf8");
    } catch {
      // The authentication tag does not match: that is the answer, not a failure.
      return undefined;
    }
  }
}

/** HMAC-SHA256 under a key of its own, cut to `bytes`. */
export class Mac {
  readonly #key: Buffer;
  readonly #bytes: number;

  constructor(master: Buffer, purpose: string, bytes = 32) {
    this.#key = deriveKey(master, purpose);
    this.#bytes = bytes;
  }

  of(data: string | Uint8Array): Buffer {
    return createHmac("sha256", this.#key).update(data).digest().subarray(0, this.#bytes);
  }

  /** In constant time. */
  matches(data: Uint8Array, mac: Uint8Array): boolean {
    return mac.length === this.#bytes && timingSafeEqual(this.of(data), mac);
  }
}

function deriveKey(master: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", master, "meridian", purpose, 32));
}
