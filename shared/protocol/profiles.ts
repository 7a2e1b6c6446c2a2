/**
 * What others may see of a player: `GET /v1/players/{id}` and `GET /v1/players?name=…`, `POST /link/profiles`,
 * and the feed in heartbeats that tells regions whose profile changed.
 */
import { z } from "zod";
import { PlayerId } from "../ids.ts";
import { PlayerName } from "./accounts.ts";

/** A ban is not in it: its reason is the player's own business. */
export const Profile = z.object({
  id: PlayerId,
  name: z.string(),
  createdAt: z.string().describe("ISO 8601"),
});
export type Profile = z.infer<typeof Profile>;

/** Most players that a look-up by name answers. */
export const NAMESAKES_MAX = 20;
export const NamesakesQuery = z.object({ name: PlayerName });
export const Namesakes = z.object({ players: z.array(Profile).max(NAMESAKES_MAX) });
export type Namesakes = z.infer<typeof Namesakes>;

/** Most ids of one `POST /link/profiles`. */
export const PROFILES_PER_CALL_MAX = 200;
/** Most changes that the core's feed remembers, and so that one answer carries; past it, `flush`. */
export const FEED_CHANGES_MAX = 2_000;

/**
 * A place in the feed of one core process. `feedId` is new with every start of the core, and whenever it
 * can't say what it has missed: places of different feeds can't be compared.
 */
export const FeedPlace = z.object({
  feedId: z.string().min(1).max(64),
  seq: z.number().int().nonnegative(),
});
export type FeedPlace = z.infer<typeof FeedPlace>;

/** What the feed has for a node: with `flush`, that everything it holds may be wrong. */
export const FeedNews = z.object({
  /** The place that the node named; everything after it, up to `place`, is in `changed`. */
  after: FeedPlace.optional(),
  place: FeedPlace,
  changed: z.array(PlayerId).max(FEED_CHANGES_MAX),
  flush: z.boolean(),
  /** How long before this answer the core last looked for changes in its database, ms. */
  ageMs: z.number().nonnegative(),
});
export type FeedNews = z.infer<typeof FeedNews>;

/** An id as a caller writes it: UUIDs are the same in either case, and here in the lower one. */
export const AskedId = z.uuid().toLowerCase().brand<"PlayerId">();

export const ProfilesRequest = z.object({
  ids: z.array(AskedId).min(1).max(PROFILES_PER_CALL_MAX),
});
export type ProfilesRequest = z.infer<typeof ProfilesRequest>;

/** Whom it does not name does not exist. */
export const ProfilesAnswer = z.object({
  /** Where the feed was, at the latest, when the oldest of these was read. */
  asOf: FeedPlace,
  profiles: z.array(Profile).max(PROFILES_PER_CALL_MAX),
});
export type ProfilesAnswer = z.infer<typeof ProfilesAnswer>;
