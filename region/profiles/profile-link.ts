/**
 * Profiles for rooms: from the cache, or from the core over the link. Those who are missing within a moment
 * are asked for in one call, and each of them once, however many rooms ask.
 *
 * With the core gone, what the cache has is told as stale, for ten minutes; what it has not is `unavailable`.
 */
import type { Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { Flights } from "../../shared/flights.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import {
  type FeedNews,
  type FeedPlace,
  PROFILES_PER_CALL_MAX,
  type Profile,
  ProfilesAnswer,
} from "../../shared/protocol/profiles.ts";
import { canonicalId, type ProfileService, type SeenProfile } from "../rooms/room-profiles.ts";
import { ProfileCache } from "./profile-cache.ts";

const DEADLINE_MS = 1_500;
/** What rooms ask for within so long goes together. */
const GATHER_MS = 5;
/** Players who are asked about at a time; one more gets `unavailable`. */
const ASKED_MAX = 5_000;

export interface ProfileLinkOptions {
  /** Not that of claims and operations: its breaker must not hold them up. */
  readonly client: LinkClient;
  readonly coreAddress: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export class ProfileLink implements ProfileService {
  readonly #options: ProfileLinkOptions;
  readonly #cache = new ProfileCache();
  readonly #flights: Flights<PlayerId, Profile>;
  readonly #outcomes: Counter<"outcome">;
  readonly #flushes: Counter;

  constructor(options: ProfileLinkOptions) {
    const { clock, metrics } = options;
    this.#options = options;
    this.#flights = new Flights({
      name: "profiles",
      read: (ids) => this.#read(ids),
      batchMax: PROFILES_PER_CALL_MAX,
      keysMax: ASKED_MAX,
      gatherMs: GATHER_MS,
      clock,
    });
    this.#outcomes = new Counter({
      name: "meridian_region_profiles_total",
      help: "Profiles that rooms asked for: cached, asked (of the core), stale, or how it failed.",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    this.#flushes = new Counter({
      name: "meridian_region_profiles_flushes_total",
      help: "How often all cached profiles were dropped, because changes may have been missed.",
      registers: [metrics],
    });
    const size = () => this.#cache.size;
    new Gauge({
      name: "meridian_region_profiles_cached",
      help: "Profiles in the cache.",
      registers: [metrics],
      collect() {
        this.set(size());
      },
    });
  }

  async get(playerId: PlayerId): Promise<SeenProfile | undefined> {
    const id = canonicalId(playerId);
    const found = this.#cache.find(id, this.#options.clock.monotonicMs());
    if (found.type === "unknown") return await this.#ask(id, found.fallback);
    this.#outcomes.inc({ outcome: found.type === "fresh" ? "cached" : "stale" });
    return seen(found.profile, found.type === "stale");
  }

  /** Up to where this node has the feed of changes. */
  get place(): FeedPlace | undefined {
    return this.#cache.place;
  }

  /** Takes in what the answer to a heartbeat brought. */
  hear(news: FeedNews, sentAtMs: number): void {
    const effect = this.#cache.hear(news, sentAtMs);
    if (effect.type === "flush") {
      this.#flushes.inc();
      this.#flights.forgetAll();
    } else for (const id of effect.ids) this.#flights.forget(id);
  }

  async #ask(id: PlayerId, fallback: Profile | undefined): Promise<SeenProfile | undefined> {
    try {
      const profile = await this.#flights.get(id);
      this.#outcomes.inc({ outcome: "asked" });
      return seen(profile, false);
    } catch (error) {
      this.#outcomes.inc({ outcome: fallback ? "stale" : kindOf(error) });
      if (fallback) return seen(fallback, true);
      throw error;
    }
  }

  async #read(ids: readonly PlayerId[]): Promise<ReadonlyMap<PlayerId, Profile>> {
    const { client, coreAddress, clock } = this.#options;
    const asking = this.#cache.ask(ids, clock.monotonicMs());
    try {
      const answer = await client.call({
        address: coreAddress,
        peer: { role: "core" },
        path: "/link/profiles",
        body: { ids },
        answer: ProfilesAnswer,
        deadlineMs: DEADLINE_MS,
      });
      this.#cache.answered(asking, answer);
      return new Map(answer.profiles.map((profile) => [profile.id, profile]));
    } finally {
      this.#cache.unanswered(asking);
    }
  }
}

function seen(profile: Profile | undefined, stale: boolean): SeenProfile | undefined {
  return profile && { ...profile, stale };
}

function kindOf(error: unknown): string {
  return isFailure(error) ? error.kind : "internal";
}
