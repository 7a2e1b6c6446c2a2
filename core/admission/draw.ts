/**
 * The order of those who are there when a region opens: by SHA-256 of the opening's seed and the player's id. The
 * seed is secret until then, or players could be made until one draws well; its hash is public from the beginning,
 * so that it can't be chosen afterwards.
 *
 * The drawn number is one of those that the queue would have given between the scheduling and the opening. So it
 * comes after everybody who waited before, and before everybody who comes later. Pure.
 */
import { createHash } from "node:crypto";
import type { RegionId } from "../../shared/ids.ts";
import type { OpeningRange } from "../../shared/protocol/openings.ts";
import { NUMBERS_PER_MS, type OpeningDraw } from "./region-queue.ts";

const DRAWN_BITS = 48;
/** Who comes while an opening is being stored still gets a usual number, which is to be below all that are drawn. */
const STORING_MS = 10_000;

export interface Opening {
  readonly regionId: RegionId;
  /** Core time, whole ms since 1970. */
  readonly scheduledAtMs: number;
  readonly opensAtMs: number;
  readonly seed: Buffer;
}

export function commitmentOf(seed: Uint8Array): Buffer {
  return createHash("sha256").update(seed).digest();
}

export function rangeOf({ scheduledAtMs, opensAtMs }: Opening): OpeningRange {
  const ms = Math.max(2, opensAtMs - scheduledAtMs);
  const storingMs = Math.min(STORING_MS, ms >>> 1);
  return {
    firstNumber: (scheduledAtMs + storingMs) * NUMBERS_PER_MS,
    numbers: (ms - storingMs) * NUMBERS_PER_MS,
  };
}

/** @param leader of a party; else the player */
export function drawnNumber(
  seed: Uint8Array,
  leader: string,
  { firstNumber, numbers }: OpeningRange,
): number {
  const hash = createHash("sha256").update(seed).update(leader).digest();
  const drawn = BigInt(hash.readUIntBE(0, DRAWN_BITS / 8));
  return firstNumber + Number((drawn * BigInt(numbers)) >> BigInt(DRAWN_BITS));
}

export function drawOf(opening: Opening): OpeningDraw {
  const range = rangeOf(opening);
  return {
    opensAtMs: opening.opensAtMs,
    scheduledAtMs: opening.scheduledAtMs,
    numberOf: (leader) => drawnNumber(opening.seed, leader, range),
  };
}
