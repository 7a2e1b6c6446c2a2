/** What an operator asks about one address: `/ops/route`, and the command that calls it. */
import { isIP } from "node:net";
import { z } from "zod";
import { GameName, RegionId } from "../../shared/ids.ts";
import { RoundTrips } from "../../shared/protocol/join.ts";

/** 64 regions, each with its number. */
const TEXT_CHARACTERS_MAX = 4_096;

/** `beijing=12,shanghai=40`: ms by region. */
const RoundTripsText = z
  .string()
  .max(TEXT_CHARACTERS_MAX)
  .transform((text, context) => {
    const pairs = text.split(",").map((pair) => pair.trim().split("="));
    const isNumber = pairs.every(([, ms = ""]) => /^\d+(\.\d+)?$/.test(ms));
    const parsed = RoundTrips.safeParse(
      Object.fromEntries(pairs.map(([region = "", ms]) => [region, Number(ms)])),
    );
    if (isNumber && parsed.success && pairs.every(({ length }) => length === 2)) return parsed.data;
    const message = `"${text}" is not REGION=MS,REGION=MS, such as beijing=12,shanghai=40`;
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  });

export const RouteOpsQuery = z.object({
  ip: z
    .string()
    .max(64)
    .refine((text) => isIP(text) !== 0, {
      error: (issue) => `"${issue.input}" is not an IPv4 or IPv6 address`,
    }),
  game: GameName.optional(),
  region: RegionId.optional(),
  /** As that client would have measured them. */
  roundTrips: RoundTripsText.optional(),
});
