/** Log-in: `POST /v1/guests`, `POST /v1/tokens/refresh`, `POST /v1/tokens/revoke`, `GET /v1/me`. */
import { z } from "zod";
import { PlayerId } from "../ids.ts";
import { printableText } from "./text.ts";

/** A shown name: 1 to 24 printable characters once trimmed. */
export const PlayerName = z.string().trim().pipe(printableText(24));

/** Any stable text that tells this device from the player's others. */
export const Device = printableText(64);

/**
 * `POST /v1/guests`. Without a secret a new guest is made; with the one an earlier answer held, the
 * same guest logs in again.
 */
export const GuestRequest = z.object({
  secret: z.string().min(20).max(128).optional(),
  name: PlayerName.optional(),
  device: Device.default("unknown"),
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
  device: Device.default("unknown"),
});
export type RefreshRequest = z.input<typeof RefreshRequest>;

/** `POST /v1/tokens/revoke`: ends the token's whole family. */
export const RevokeRequest = z.object({ refreshToken: z.string().min(20).max(256) });
export type RevokeRequest = z.infer<typeof RevokeRequest>;

export const Me = z.object({ playerId: PlayerId, name: z.string(), guest: z.boolean() });
export type Me = z.infer<typeof Me>;

/** `PATCH /v1/me`. */
export const MeChange = z.object({ name: PlayerName });
export type MeChange = z.infer<typeof MeChange>;
