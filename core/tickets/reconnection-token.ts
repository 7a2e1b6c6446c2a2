/**
 * Reconnection tokens: base64url of a compact claim and its MAC, opaque to everyone but the core.
 *
 *     version 1 · player 16 · term 4 · n 6 · room length 1 · room · session · mac 16     (bytes)
 *
 * With the longest ids that is 172 bytes, 230 characters: the JOIN frame of Colyseus gives it one byte
 * of length, and stock clients split at `:`, which base64url does not have. It does not expire: the
 * room that keeps the seat decides for how long.
 */
import type { Epoch } from "../../shared/epoch.ts";
import { PlayerId, RoomId, SessionId } from "../../shared/ids.ts";
import { Mac } from "./master-key.ts";

export interface ReconnectionClaim {
  readonly playerId: PlayerId;
  readonly roomId: RoomId;
  readonly sessionId: SessionId;
  readonly sessionEpoch: Epoch;
}

const VERSION = 1;
const MAC_BYTES = 16;
const PLAYER_AT = 1;
const TERM_AT = 17;
const N_AT = 21;
const ROOM_LENGTH_AT = 27;
const ROOM_AT = 28;

export class ReconnectionTokens {
  readonly #mac: Mac;

  constructor(master: Buffer) {
    this.#mac = new Mac(master, "reconnection", MAC_BYTES);
  }

  mint(claim: ReconnectionClaim): string {
    const room = Buffer.from(claim.roomId);
    const head = Buffer.alloc(ROOM_AT);
    head.writeUInt8(VERSION, 0);
    head.write(claim.playerId.replaceAll("-", ""), PLAYER_AT, "hex");
    head.writeUInt32BE(claim.sessionEpoch[0], TERM_AT);
    head.writeUIntBE(claim.sessionEpoch[1], N_AT, 6);
    head.writeUInt8(room.length, ROOM_LENGTH_AT);
    const payload = Buffer.concat([head, room, Buffer.from(claim.sessionId)]);
    return Buffer.concat([payload, this.#mac.of(payload)]).toString("base64url");
  }

  /** What the token claims, or undefined when we did not mint it. */
  verify(token: string): ReconnectionClaim | undefined {
    const bytes = Buffer.from(token, "base64url");
    const payload = bytes.subarray(0, -MAC_BYTES);
    if (payload.length < ROOM_AT || payload[0] !== VERSION) return undefined;
    if (!this.#mac.matches(payload, bytes.subarray(-MAC_BYTES))) return undefined;
    const roomEnd = ROOM_AT + payload.readUInt8(ROOM_LENGTH_AT);
    return {
      playerId: PlayerId.parse(uuidOf(payload.subarray(PLAYER_AT, TERM_AT))),
      sessionEpoch: [payload.readUInt32BE(TERM_AT), payload.readUIntBE(N_AT, 6)],
      roomId: RoomId.parse(payload.toString("utf8", ROOM_AT, roomEnd)),
      sessionId: SessionId.parse(payload.toString("utf8", roomEnd)),
    };
  }
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
