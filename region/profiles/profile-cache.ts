/**
 * Profiles at a node: the least recently used go when it is full. Told the time; no I/O.
 *
 * What is kept is as good as the feed: it shows no value older than the last change that the feed told. So
 * an answer is kept only if nothing overtook it on its way: no flush since it was asked for, and no change
 * of that player that the core had not yet read. `asOf` in the answer tells what it had.
 *
 * While the feed is complete up to a moment ago, what is kept is *fresh*. When it falls silent, because the
 * core or its database is away, it is *stale*, and told as such, for ten minutes; then it is not told at all.
 */
import { LRUCache } from "lru-cache";
import type { PlayerId } from "../../shared/ids.ts";
import type {
  FeedNews,
  FeedPlace,
  Profile,
  ProfilesAnswer,
} from "../../shared/protocol/profiles.ts";
import { type FeedEffect, feedStep, NO_FEED } from "./feed-step.ts";

/** Past six heartbeats in vain. */
const FRESH_MS = 3_000;
/** Read anew after that, though no change was told. */
const KEPT_MS = 600_000;
const STALE_MAX_MS = 600_000;
/** That there is no such player: the feed tells nothing of those who are made. */
const ABSENT_MS = 5_000;
/** About 300 bytes each. */
const PROFILES_MAX = 20_000;

interface Entry {
  /** Undefined when there is no such player. */
  readonly profile: Profile | undefined;
  /** When it was asked for, monotonic ms. */
  readonly readAtMs: number;
}

export type Found =
  | { readonly type: "fresh"; readonly profile: Profile | undefined }
  | { readonly type: "stale"; readonly profile: Profile }
  /** The core must be asked; `fallback` may be told as stale when it does not answer. */
  | { readonly type: "unknown"; readonly fallback: Profile | undefined };

/** A question that is on its way to the core. */
export interface Asking {
  readonly ids: ReadonlySet<PlayerId>;
  readonly sentAtMs: number;
  readonly flushes: number;
  /** Changes that were told since, by the feed's number. */
  readonly changed: Map<PlayerId, number>;
}

export class ProfileCache {
  readonly #entries: LRUCache<PlayerId, Entry>;
  readonly #asking = new Set<Asking>();
  #feed = NO_FEED;
  #flushes = 0;

  constructor(profilesMax = PROFILES_MAX) {
    this.#entries = new LRUCache({ max: profilesMax });
  }

  get size(): number {
    return this.#entries.size;
  }

  get place(): FeedPlace | undefined {
    return this.#feed.place;
  }

  find(id: PlayerId, nowMs: number): Found {
    const entry = this.#entries.get(id);
    if (!entry) return { type: "unknown", fallback: undefined };
    const { profile, readAtMs } = entry;
    if (!profile) {
      const known = nowMs - readAtMs <= ABSENT_MS;
      return known ? { type: "fresh", profile } : { type: "unknown", fallback: undefined };
    }
    const { completeAtMs } = this.#feed;
    const goodForMs = nowMs - Math.max(readAtMs, completeAtMs);
    if (goodForMs <= FRESH_MS && nowMs - readAtMs <= KEPT_MS) return { type: "fresh", profile };
    if (goodForMs > STALE_MAX_MS) return { type: "unknown", fallback: undefined };
    const silent = nowMs - completeAtMs > FRESH_MS;
    return silent ? { type: "stale", profile } : { type: "unknown", fallback: profile };
  }

  /** Takes in what a heartbeat's answer brought. */
  hear(news: FeedNews, sentAtMs: number): FeedEffect {
    const [feed, effect] = feedStep(this.#feed, news, sentAtMs);
    this.#feed = feed;
    if (effect.type === "flush") this.#flush();
    else for (const id of effect.ids) this.#drop(id, news.place.seq);
    return effect;
  }

  /** Before the core is asked; `answered` or `unanswered` follows. */
  ask(ids: readonly PlayerId[], sentAtMs: number): Asking {
    const asking = {
      ids: new Set(ids),
      sentAtMs,
      flushes: this.#flushes,
      changed: new Map<PlayerId, number>(),
    };
    this.#asking.add(asking);
    return asking;
  }

  answered(asking: Asking, { asOf, profiles }: ProfilesAnswer): void {
    this.#asking.delete(asking);
    const { ids, sentAtMs, flushes, changed } = asking;
    if (flushes !== this.#flushes || asOf.feedId !== this.#feed.place?.feedId) return;
    const byId = new Map(profiles.map((profile) => [profile.id, profile]));
    for (const id of ids) {
      if ((changed.get(id) ?? 0) > asOf.seq) continue;
      this.#entries.set(id, { profile: byId.get(id), readAtMs: sentAtMs });
    }
  }

  unanswered(asking: Asking): void {
    this.#asking.delete(asking);
  }

  #flush(): void {
    this.#flushes += 1;
    this.#entries.clear();
  }

  #drop(id: PlayerId, seq: number): void {
    this.#entries.delete(id);
    for (const { ids, changed } of this.#asking) {
      // News that come twice or late tell of an older place than what was told before.
      if (ids.has(id)) changed.set(id, Math.max(seq, changed.get(id) ?? 0));
    }
  }
}
