/**
 * `GET /v1/route`: to which region a caller would be sent, and with `explain=1` why, term by term.
 * `POST /v1/route` says the same with what the client measured, as its join would.
 * `GET /play` leads a browser to the same region's page.
 */
import { z } from "zod";
import { GameName, RegionId } from "../ids.ts";

export const RouteQuery = z.object({
  game: GameName.optional(),
  /** Insists on one region, as a join may. */
  region: RegionId.optional(),
  /** The protocol that the client speaks; regions that speak an older one only are left out. */
  protocol: z.coerce.number().int().positive().optional(),
  explain: z.enum(["0", "1"]).optional(),
});
export type RouteQuery = z.infer<typeof RouteQuery>;

/** Where a caller is taken to be. */
export const RoutePlace = z.object({
  label: z.string(),
  latitude: z.number(),
  longitude: z.number(),
  /** Told by the operator, looked up, or unknown and so taken to be at the core. */
  source: z.enum(["override", "geo-ip", "default"]),
});
export type RoutePlace = z.infer<typeof RoutePlace>;

const routed = {
  regionId: RegionId,
  /** Whether it takes the caller; where none does, whether one can wait for a seat there. */
  eligible: z.boolean(),
  /** Measured by the client, or else estimated from the distance, ms. */
  roundTripMs: z.number(),
  /** Lower is better, ms; null when the region takes nobody. */
  score: z.number().nullable(),
};

/** What an explained answer says of a region besides. */
const explanation = {
  /** For people, for example "Beijing". */
  name: z.string(),
  latitude: z.number(),
  longitude: z.number(),
  state: z.enum(["active", "draining", "fenced", "isolated", "down", "unknown"]),
  /** How the round trip is known; `unanswered`: the client asked, and the region was silent. */
  basis: z.enum(["measured", "estimated", "unanswered"]),
  km: z.number(),
  /** The parts of the score: latency + load − home − friends, ms. */
  latencyMs: z.number(),
  loadMs: z.number(),
  homeMs: z.number(),
  friendsMs: z.number(),
  /** Want of seats is all that is in the way: players wait there in a queue. */
  full: z.boolean(),
  reasons: z.array(z.string()),
  /** Why it won or lost, in one line. */
  verdict: z.string(),
};

export const RoutedRegion = z.object({ ...routed, ...z.object(explanation).partial().shape });
export type RoutedRegion = z.infer<typeof RoutedRegion>;

export const ExplainedRegion = z.object({ ...routed, ...explanation });
export type ExplainedRegion = z.infer<typeof ExplainedRegion>;

const route = {
  place: RoutePlace,
  /**
   * The best region, or where every seat is taken the best one to wait in; null only in an explained answer,
   * when there is neither.
   */
  regionId: RegionId.nullable(),
  /** `host:port` of a node there. */
  publicAddress: z.string().nullable(),
};

/** With `explain=1` each region's optional fields are there, and `reason`. */
export const RouteAnswer = z.object({
  ...route,
  /** The best first; regions that take nobody come last. */
  ranking: z.array(RoutedRegion),
  reason: z.string().nullable().optional(),
});
export type RouteAnswer = z.infer<typeof RouteAnswer>;

export const ExplainedRoute = z.object({
  ...route,
  ranking: z.array(ExplainedRegion),
  /** Why there is no region; null when there is one. */
  reason: z.string().nullable(),
});
export type ExplainedRoute = z.infer<typeof ExplainedRoute>;
