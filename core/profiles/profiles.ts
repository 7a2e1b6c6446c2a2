/**
 * What others may see of a player, by id or by name.
 *
 * A key that is being looked up is not looked up again, keys asked for within a moment go in one statement,
 * and whoever does not exist is stopped by the filter of known ids. The filter hears of a new player a
 * quarter of a second late; so one whom it does not know is asked about again after the next read of
 * changes, which costs no query of its own: a "no" is never wrong.
 *
 * What a region gets says how far the feed of changes was when it was read (`asOf`), so that the region
 * does not take an old answer for a new one. A read that began before a change was told is joined by nobody
 * who asks after it.
 */
import type { Clock } from "../../shared/clock.ts";
import { Flights } from "../../shared/flights.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import {
  type FeedPlace,
  PROFILES_PER_CALL_MAX,
  type Profile,
  type ProfilesAnswer,
} from "../../shared/protocol/profiles.ts";
import type { Database } from "../db/database.ts";
import type { PlayerChange } from "./changes-step.ts";
import type { KnownIds } from "./known-ids.ts";
import type { ChangeListener, PlayerChanges } from "./player-changes.ts";
import type { ProfileFeed } from "./profile-feed.ts";
import { type ProfileRow, selectNamesakes, selectProfiles } from "./profile-store.ts";

/** A timer's shortest: what arrives in one turn of the event loop goes together. */
const GATHER_MS = 1;
const NAMES_PER_STATEMENT_MAX = 50;
/** Keys that are read or wait for it, of each kind; one more gets `unavailable`. */
const KEYS_MAX = 10_000;

export interface ProfilesDeps {
  readonly database: Database;
  readonly changes: Pick<PlayerChanges, "next">;
  readonly known: KnownIds;
  readonly feed: ProfileFeed;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** A profile, or that there is none, and how far the feed was before it was read. */
interface Seen {
  readonly asOf: FeedPlace;
  readonly profile?: Profile;
}

type LookUp = "id" | "name";

export class Profiles implements ChangeListener {
  readonly #deps: ProfilesDeps;
  readonly #byId: Flights<PlayerId, Seen>;
  readonly #byName: Flights<string, readonly Profile[]>;
  readonly #lookUps: Counter<"by" | "outcome">;

  constructor(deps: ProfilesDeps) {
    const { clock, metrics } = deps;
    this.#deps = deps;
    const bounds = { name: "profiles", keysMax: KEYS_MAX, gatherMs: GATHER_MS, clock };
    this.#byId = new Flights({
      ...bounds,
      batchMax: PROFILES_PER_CALL_MAX,
      read: (ids) => this.#readIds(ids),
    });
    this.#byName = new Flights({
      ...bounds,
      batchMax: NAMES_PER_STATEMENT_MAX,
      read: (names) => this.#readNames(names),
    });
    this.#lookUps = new Counter({
      name: "meridian_profile_look_ups_total",
      help:
        "Look-ups of players: found; stopped by the filter of known ids, without a query; " +
        "false_positive: let through and not there; unfiltered: not there, and the filter not full.",
      labelNames: ["by", "outcome"],
      registers: [metrics],
    });
  }

  /** @throws {MeridianError} `unavailable`, `timeout` */
  async find(id: PlayerId): Promise<Profile | undefined> {
    return (await this.#see(id)).profile;
  }

  /** For a region. @throws {MeridianError} `unavailable`, `timeout` */
  async findAll(ids: readonly PlayerId[]): Promise<ProfilesAnswer> {
    const seen = await Promise.all([...new Set(ids)].map((id) => this.#see(id)));
    const { place } = this.#deps.feed;
    const asOf = seen.map((one) => one.asOf).reduce(olderOf, place);
    return { asOf, profiles: seen.flatMap(({ profile }) => (profile ? [profile] : [])) };
  }

  /** Those of that very name. @throws {MeridianError} `unavailable`, `timeout` */
  async namesakes(name: string): Promise<readonly Profile[]> {
    const { known } = this.#deps;
    if (!(await this.#passes(() => known.mayHaveName(name)))) {
      this.#lookUps.inc({ by: "name", outcome: "stopped" });
      return [];
    }
    const found = (await this.#byName.get(name)) ?? [];
    this.#count("name", found.length > 0);
    return found;
  }

  /** This core changed it: who asks from now on gets what is in the database now. */
  forget(id: PlayerId): void {
    this.#byId.forget(id);
    this.#byName.forgetAll();
  }

  changed(changes: readonly PlayerChange[]): void {
    for (const { playerId } of changes) this.#byId.forget(playerId);
    this.#byName.forgetAll();
  }

  missed(): void {
    this.#byId.forgetAll();
    this.#byName.forgetAll();
  }

  async #see(id: PlayerId): Promise<Seen> {
    const { known, feed } = this.#deps;
    if (!(await this.#passes(() => known.mayHaveId(id)))) {
      this.#lookUps.inc({ by: "id", outcome: "stopped" });
      return { asOf: feed.place };
    }
    const seen = await this.#byId.get(id);
    this.#count("id", seen?.profile !== undefined);
    return seen ?? { asOf: feed.place };
  }

  /** Whether the filter lets it through, now or after it has heard of the newest players. */
  async #passes(ask: () => boolean): Promise<boolean> {
    if (ask()) return true;
    const heard = await this.#deps.changes.next();
    return !heard || ask();
  }

  #count(by: LookUp, found: boolean): void {
    const absent = this.#deps.known.full ? "false_positive" : "unfiltered";
    this.#lookUps.inc({ by, outcome: found ? "found" : absent });
  }

  async #readIds(ids: readonly PlayerId[]): Promise<ReadonlyMap<PlayerId, Seen>> {
    const asOf = this.#deps.feed.place;
    const rows = await selectProfiles(this.#deps.database, ids);
    const profiles = new Map(rows.map((row) => [row.id, profileOf(row)]));
    return new Map(
      ids.map((id) => {
        const profile = profiles.get(id);
        return [id, profile ? { asOf, profile } : { asOf }];
      }),
    );
  }

  async #readNames(names: readonly string[]): Promise<ReadonlyMap<string, readonly Profile[]>> {
    const rows = await selectNamesakes(this.#deps.database, names);
    const byName = new Map<string, Profile[]>();
    for (const row of rows) byName.set(row.name, [...(byName.get(row.name) ?? []), profileOf(row)]);
    return byName;
  }
}

/** A place of a former feed is older than any: no region takes it for a new one. */
function olderOf(a: FeedPlace, b: FeedPlace): FeedPlace {
  if (a.feedId !== b.feedId) return b;
  return b.seq < a.seq ? b : a;
}

function profileOf({ id, name, created_at }: ProfileRow): Profile {
  return { id, name, createdAt: created_at.toISOString() };
}
