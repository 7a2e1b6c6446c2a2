/**
 * The feed of changed profiles, as a core process keeps it for its regions: numbered, bounded. Pure.
 *
 * A node names the place up to which it has everything, and gets what came after. A place that the feed does
 * not reach back to, or of another feed, gets `flush`. So every change is either told or flushed, whatever
 * becomes of the answers: a place only moves on by an answer that arrived.
 */
import type { PlayerId } from "../../shared/ids.ts";
import { FEED_CHANGES_MAX, type FeedNews, type FeedPlace } from "../../shared/protocol/profiles.ts";

export interface Feed {
  /** Its newest change. */
  readonly place: FeedPlace;
  /** The newest ones, oldest first; the last one's number is `place.seq`. */
  readonly changed: readonly PlayerId[];
}

export function newFeed(feedId: string): Feed {
  return { place: { feedId, seq: 0 }, changed: [] };
}

export function addChanges(
  feed: Feed,
  ids: readonly PlayerId[],
  changesMax = FEED_CHANGES_MAX,
): Feed {
  const { feedId, seq } = feed.place;
  const changed = [...feed.changed, ...ids].slice(-changesMax);
  return { place: { feedId, seq: seq + ids.length }, changed };
}

/** @param ageMs since the feed was known to be complete */
export function newsAfter(feed: Feed, after: FeedPlace | undefined, ageMs: number): FeedNews {
  const { place, changed } = feed;
  const missed = after ? place.seq - after.seq : 0;
  const known = after?.feedId === place.feedId && missed >= 0 && missed <= changed.length;
  if (!after || !known) return { place, changed: [], flush: true, ageMs };
  const news = missed === 0 ? [] : [...new Set(changed.slice(-missed))];
  return { after, place, changed: news, flush: false, ageMs };
}
