/** Log-in: `POST /v1/guests`, `POST /v1/tokens/{refresh,revoke,revoke-all}`, `GET /v1/me`. */
import { z } from "zod";
import { PlayerId } from "../ids.ts";
import { Device } from "./device.ts";
import { printableText } from "./text.ts";

/** A shown name: 1 to 24 printable characters once trimmed. */
export const PlayerName = z.string().trim().pipe(printableText(24));

/**
 * `POST /v1/guests`. Without a secret a new guest is made; with the one an earlier answer held, the
 * same guest logs in again.
 */
export const GuestRequest = z.object({
  secret: z.string().min(20).max(128).optional(),
  name: PlayerName.optional(),
  device: Device,
});
export type GuestRequest = z.input<typeof GuestRequest>;

export const TokenPair = z.object({
  playerId: PlayerId,
  name: z.string(),
  /** JWT, EdDSA; goes into `Authorization: Bearer …`. */
  accessToken: z.string(),
  accessExpiresInMs: z.number().int().positive(),
  /** Opaque; each use answers with its successor. */
  refreshToken: z.string(),
  refreshExpiresInMs: z.number().int().positive(),
});
export type TokenPair = z.infer<typeof TokenPair>;

/** The guest's secret is answered once, when the account is made: the client keeps it. */
export const GuestAnswer = TokenPair.extend({ secret: z.string().optional() });
export type GuestAnswer = z.infer<typeof GuestAnswer>;

export const RefreshRequest = z.object({
  refreshToken: z.string().min(20).max(256),
  device: Device,
});
export type RefreshRequest = z.input<typeof RefreshRequest>;

/** `POST /v1/tokens/revoke`: ends the token's whole family. */
export const RevokeRequest = z.object({ refreshToken: z.string().min(20).max(256) });
export type RevokeRequest = z.infer<typeof RevokeRequest>;

/**
 * `POST /v1/tokens/revoke-all`. A guest who shows the secret, which is the only way in, gets a new one;
 * without it the secret stays what it is.
 */
export const RevokeAllRequest = z.object({ secret: z.string().min(20).max(128).optional() });
export const RevokeAllAnswer = z.object({ ok: z.literal(true), secret: z.string().optional() });
export type RevokeAllAnswer = z.infer<typeof RevokeAllAnswer>;

export const Me = z.object({
  playerId: PlayerId,
  name: z.string(),
  /** Whether the secret of this account is the only way in. */
  guest: z.boolean(),
  email: z.string().nullable(),
});
export type Me = z.infer<typeof Me>;

/** `PATCH /v1/me`. */
export const MeChange = z.object({ name: PlayerName });
export type MeChange = z.infer<typeof MeChange>;
