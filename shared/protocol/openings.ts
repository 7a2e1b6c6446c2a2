/** `GET /v1/openings`: when regions open, and how the order of those who are there by then was drawn. */
import { z } from "zod";
import { RegionId } from "../ids.ts";

/** An opening is told for so long after it, ms. */
export const OPENINGS_KEPT_MS = 7 * 86_400_000;

const hash = z.string().regex(/^[0-9a-f]{64}$/, "32 bytes in hex");

/** The numbers that are drawn. */
export const OpeningRange = z.object({
  firstNumber: z.number().int(),
  /** How many there are. */
  numbers: z.number().int().positive(),
});
export type OpeningRange = z.infer<typeof OpeningRange>;

export const OpeningInfo = z.object({
  regionId: RegionId,
  /** Nobody is let in before, ms since 1970. */
  opensAtMs: z.number().int(),
  /** SHA-256 of the seed, in hex. The same from the scheduling on, also when the time is changed. */
  commitment: hash,
  /** Null until the opening. */
  draw: z.object({ seed: hash, ...OpeningRange.shape }).nullable(),
});
export type OpeningInfo = z.infer<typeof OpeningInfo>;

export const OpeningsAnswer = z.object({
  /** How a number follows from seed and player, in words. */
  rule: z.string(),
  /** Those that are to come and those of the last days, the earliest first. */
  openings: z.array(OpeningInfo),
});
export type OpeningsAnswer = z.infer<typeof OpeningsAnswer>;
