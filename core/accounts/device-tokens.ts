/**
 * Proof that a device logged in to an account before: base64url of player, time, random bytes and a
 * MAC, 42 bytes. It opens nothing by itself. It only lets the device try passwords when strangers to the
 * account may not (see `attempt-step.ts`), so nothing is stored. Those from before a change of the password
 * count for nothing: who knew the former one may have gathered any number of them, each good for guesses.
 */
import type { PlayerId } from "../../shared/ids.ts";
import { Mac, type RandomBytes } from "../tickets/master-key.ts";

const TIME_AT = 16;
const NONCE_AT = 20;
const MAC_AT = 28;
const MAC_BYTES = 14;
const LIFE_S = 400 * 86_400;

export interface KnownDevice {
  /** What tells it from the player's other ones. */
  readonly device: string;
  readonly playerId: string;
  /** Unix time in whole seconds. */
  readonly sinceS: number;
}

export class DeviceTokens {
  readonly #mac: Mac;
  readonly #random: RandomBytes;

  constructor(master: Buffer, random: RandomBytes) {
    this.#mac = new Mac(master, "known-device", MAC_BYTES);
    this.#random = random;
  }

  mint(playerId: PlayerId, nowMs: number): string {
    const payload = Buffer.alloc(MAC_AT);
    payload.write(playerId.replaceAll("-", ""), 0, "hex");
    payload.writeUInt32BE(Math.floor(nowMs / 1_000), TIME_AT);
    this.#random(MAC_AT - NONCE_AT).copy(payload, NONCE_AT);
    return Buffer.concat([payload, this.#mac.of(payload)]).toString("base64url");
  }

  /** The device that a token is of, if it is one of ours that is not too old; else undefined. */
  read(token: string | undefined, nowMs: number): KnownDevice | undefined {
    const bytes = Buffer.from(token ?? "", "base64url");
    const payload = bytes.subarray(0, MAC_AT);
    if (bytes.length !== MAC_AT + MAC_BYTES) return undefined;
    if (!this.#mac.matches(payload, bytes.subarray(MAC_AT))) return undefined;
    const sinceS = payload.readUInt32BE(TIME_AT);
    if (nowMs / 1_000 - sinceS > LIFE_S) return undefined;
    return {
      device: payload.subarray(NONCE_AT).toString("base64url"),
      playerId: uuidOf(payload.subarray(0, TIME_AT)),
      sinceS,
    };
  }
}

function uuidOf(bytes: Buffer): string {
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
