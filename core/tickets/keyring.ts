/**
 * The core's Ed25519 signing keys: made at the first start, kept sealed in the database, held in memory.
 * `rotate` adds one; the schedule (`key-schedule.ts`) says from when it signs and until when the one
 * before is accepted. A wrong `MASTER_KEY` is noticed at start and stops it.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { exportJWK, generateKeyPair } from "jose";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Jwk, type Jwks, TOKEN_ALG } from "../../shared/protocol/ticket.ts";
import type { Database, Tx } from "../db/database.ts";
import { type Recording, unrecorded } from "../db/recording.ts";
import { acceptedKeys, signingKey } from "./key-schedule.ts";
import { deleteKeys, insertKey, type KeyRow, lockKeys, selectKeys } from "./key-store.ts";
import type { RandomBytes, Vault } from "./master-key.ts";

/** Accepted at a time; a rotation past it is refused. Regions hold at most 16. */
const KEYS_MAX = 8;
const KID_BYTES = 9;

interface Key {
  readonly kid: string;
  readonly createdMs: number;
  readonly jwk: Jwks["keys"][number];
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export interface KeyringDeps {
  readonly database: Database;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export class Keyring implements Part {
  readonly name = "signing keys";
  readonly #deps: KeyringDeps;
  /** Newest first. */
  #keys: readonly Key[] = [];

  constructor(deps: KeyringDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    await this.#deps.database.transaction(async (tx) => {
      await lockKeys(tx);
      if ((await selectKeys(tx, 1)).length === 0) await this.#make(tx);
      this.#keys = await this.#load(tx);
    });
  }

  /** The key to sign with now. */
  signer(): { readonly kid: string; readonly key: KeyObject } {
    const key = signingKey(this.#keys, this.#deps.clock.nowMs());
    if (!key) throw new MeridianError("unavailable", { message: "There is no signing key yet." });
    return { kid: key.kid, key: key.privateKey };
  }

  /** The key that verifies what `kid` signed; undefined when it is none of ours, or retired. */
  verifier(kid: string | undefined): KeyObject | undefined {
    return this.#accepted().find((key) => key.kid === kid)?.publicKey;
  }

  jwks(): Jwks {
    return { keys: this.#accepted().map((key) => key.jwk) };
  }

  keyIds(): string[] {
    return this.#accepted().map((key) => key.kid);
  }

  /**
   * Makes a new key and forgets retired ones.
   * @returns the new key's id
   * @throws {MeridianError} `too_many_requests` while too many are still accepted
   */
  async rotate(record: Recording = unrecorded): Promise<string> {
    const made = await this.#deps.database.transaction(async (tx) => {
      await lockKeys(tx);
      const known = await this.#load(tx);
      const accepted = acceptedKeys(known, this.#deps.clock.nowMs());
      if (accepted.length >= KEYS_MAX) {
        throw new MeridianError("too_many_requests", {
          message: `${accepted.length} signing keys are still accepted; wait until one retires.`,
        });
      }
      const retired = known.filter((key) => !accepted.includes(key));
      await deleteKeys(
        tx,
        retired.map((key) => key.kid),
      );
      const kid = await this.#make(tx);
      const keys = await this.#load(tx);
      await record(tx);
      return { kid, keys };
    });
    this.#keys = made.keys;
    return made.kid;
  }

  #accepted(): Key[] {
    return acceptedKeys(this.#keys, this.#deps.clock.nowMs());
  }

  async #make(tx: Tx): Promise<string> {
    const { vault, clock, random } = this.#deps;
    const pair = await generateKeyPair(TOKEN_ALG, { crv: "Ed25519", extractable: true });
    const kid = random(KID_BYTES).toString("base64url");
    const publicJwk = { ...(await exportJWK(pair.publicKey)), kid, alg: TOKEN_ALG, use: "sig" };
    const privateJwk = JSON.stringify(await exportJWK(pair.privateKey));
    await insertKey(tx, {
      kid,
      public_jwk: publicJwk,
      private_sealed: vault.seal(privateJwk, kid),
      created_at: new Date(clock.nowMs()),
    });
    return kid;
  }

  async #load(tx: Tx): Promise<Key[]> {
    // Those accepted, and those that retired since the last rotation: KEYS_MAX of each at most.
    const rows = await selectKeys(tx, 2 * KEYS_MAX);
    return rows.map((row) => this.#open(row));
  }

  #open(row: KeyRow): Key {
    const secret = this.#deps.vault.open(row.private_sealed, row.kid);
    if (secret === undefined) {
      throw new Error(
        "MASTER_KEY does not open the stored signing keys: " +
          "give the one that this database was set up with",
      );
    }
    return {
      kid: row.kid,
      createdMs: row.created_at.getTime(),
      jwk: Jwk.parse(row.public_jwk),
      privateKey: createPrivateKey({ key: JSON.parse(secret), format: "jwk" }),
      publicKey: createPublicKey({ key: { ...row.public_jwk }, format: "jwk" }),
    };
  }
}
