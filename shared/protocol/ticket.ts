/**
 * The join ticket: a JWT (EdDSA) that the core signs and a region verifies offline.
 *
 * A ticket is a seat. `aud` names the node that holds it and consumes its `jti`, so it works once,
 * there and nowhere else. Times are core time, which regions learn from heartbeats.
 */
import { z } from "zod";
import { Epoch } from "../epoch.ts";
import { GameName, NodeId, PlayerId, RegionId, RoomId, SessionId } from "../ids.ts";
import { ReconnectionToken } from "./join.ts";

/** The `typ` header, so that no other token of the core passes as a ticket. */
export const TICKET_TYP = "meridian-ticket+jwt";
/** The `typ` header of access tokens. */
export const ACCESS_TYP = "meridian-access+jwt";
/** `iss` of both. */
export const TOKEN_ISSUER = "meridian-core";
/** The one signature algorithm that is accepted. */
export const TOKEN_ALG = "EdDSA";

export const TicketClaims = z.object({
  iss: z.literal(TOKEN_ISSUER),
  aud: NodeId,
  sub: PlayerId,
  jti: z.string().min(8).max(64),
  /** Seconds since 1970. */
  iat: z.number().int(),
  exp: z.number().int(),
  /** The shown name. */
  name: z.string().max(24),
  sessionEpoch: Epoch,
  regionId: RegionId,
  game: GameName,
  roomId: RoomId,
  sessionId: SessionId,
  /** What the room hands the client as its reconnection token: minted by the core, opaque. */
  reconnectionToken: ReconnectionToken,
});
export type TicketClaims = z.infer<typeof TicketClaims>;

/** Whom the room sees as `client.auth`. */
export const PlayerAuth = z.object({
  playerId: PlayerId,
  name: z.string(),
  sessionEpoch: Epoch,
});
export type PlayerAuth = z.infer<typeof PlayerAuth>;

export const Jwk = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  kid: z.string(),
  alg: z.literal(TOKEN_ALG),
  use: z.literal("sig"),
});
/** `GET /.well-known/jwks.json`, and part of the heartbeat's answer when it changed. */
export const Jwks = z.object({ keys: z.array(Jwk).min(1).max(16) });
export type Jwks = z.infer<typeof Jwks>;
