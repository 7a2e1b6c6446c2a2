/**
 * What a node makes of the core's feed of changed profiles. Pure.
 *
 * It moves on only by news that begin where it is, or before: whatever lies between is in them. News that
 * begin later, are of another feed, or say so themselves, may have missed something: flush. So answers that
 * are lost, come twice or in another order do no harm.
 */
import type { PlayerId } from "../../shared/ids.ts";
import type { FeedNews, FeedPlace } from "../../shared/protocol/profiles.ts";

export interface FeedState {
  /** Everything up to here was taken in; undefined before the first news. */
  readonly place: FeedPlace | undefined;
  /** Until when what was taken in is all there was, monotonic ms. */
  readonly completeAtMs: number;
}

export const NO_FEED: FeedState = { place: undefined, completeAtMs: Number.NEGATIVE_INFINITY };

export type FeedEffect =
  | { readonly type: "flush" }
  | { readonly type: "changed"; readonly ids: readonly PlayerId[] };

/** @param sentAtMs when the heartbeat was sent that brought the news, monotonic */
export function feedStep(
  { place, completeAtMs }: FeedState,
  news: FeedNews,
  sentAtMs: number,
): [FeedState, FeedEffect] {
  const newsCompleteAtMs = sentAtMs - news.ageMs;
  if (place?.feedId !== news.place.feedId) {
    return [{ place: news.place, completeAtMs: newsCompleteAtMs }, { type: "flush" }];
  }
  const next = {
    place: news.place.seq > place.seq ? news.place : place,
    completeAtMs: Math.max(completeAtMs, newsCompleteAtMs),
  };
  const { after } = news;
  const joins = !news.flush && after?.feedId === place.feedId && after.seq <= place.seq;
  return [next, joins ? { type: "changed", ids: news.changed } : { type: "flush" }];
}
