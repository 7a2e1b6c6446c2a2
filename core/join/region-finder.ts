/**
 * Ranks the regions for whoever joins: what the client measured, where the player was last and where friends
 * are, or what the members of a party measured each for themselves.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { RankedRegion } from "../../shared/protocol/join.ts";
import type { Database } from "../db/database.ts";
import type { Candidates } from "../gslb/candidates.ts";
import { type Asked, explain } from "../gslb/explain.ts";
import type { GeoLocator } from "../gslb/geo-locator.ts";
import { rankParty } from "../gslb/party.ts";
import type { PlayerWays } from "../gslb/player-ways.ts";
import { freshOnly, isWanted, type Ranked, rank } from "../gslb/ranking.ts";
import type { Registry } from "../regions/registry.ts";
import type { PartyWaits } from "./party-waits.ts";
import type { Join } from "./seat-finder.ts";
import * as store from "./session-store.ts";

/** The cap of a party relaxes by some 20 ms meanwhile. */
const PARTY_RETRY_AFTER_MS = 2_000;

export interface RegionFinderDeps {
  readonly registry: Registry;
  readonly candidates: Candidates;
  readonly locator: GeoLocator;
  readonly database: Database;
  readonly ways: PlayerWays;
  readonly waits: PartyWaits;
}

/** Who looks for a region. */
export interface Seeker {
  readonly address: string;
  /** Undefined for a guest who is not made yet. */
  readonly playerId: PlayerId | undefined;
}

/** The regions in order, and what else the choice of a node depends on. */
export interface Found {
  readonly ranking: readonly RankedRegion[];
  /** Where the player could play, or wait for it, the best first. */
  readonly choices: readonly Choice[];
  /** Nodes where friends play. */
  readonly near: ReadonlySet<NodeId>;
}

export interface Choice {
  readonly regionId: RegionId;
  readonly roundTripMs: number;
}

type Told = Pick<Join, "roundTripsMs" | "roundTripsAgeMs" | "unanswered" | "party" | "friends">;

export class RegionFinder {
  readonly #deps: RegionFinderDeps;

  constructor(deps: RegionFinderDeps) {
    this.#deps = deps;
  }

  /**
   * Keeps what a player measured and whom they named, for those who join with them; of regions that there are, because
   * names that somebody made up would take ten times the memory.
   */
  note(playerId: PlayerId, address: string, told: Told): void {
    const { locator, registry, ways } = this.#deps;
    const { roundTripsMs = {}, roundTripsAgeMs: ageMs = 0, unanswered = [] } = told;
    const noted = {
      place: locator.locate(address),
      roundTripsMs: Object.fromEntries(
        registry.regions().flatMap(({ spec: { id } }) => {
          const ms = roundTripsMs[id];
          return ms === undefined ? [] : [[id, ms]];
        }),
      ),
      unanswered: registry
        .regions()
        .flatMap(({ spec: { id } }) => (unanswered.includes(id) ? [id] : [])),
      ageMs,
    };
    ways.note(playerId, noted, told);
  }

  /** @throws {MeridianError} `party_apart` while no region is near enough to every member */
  async find(join: Join, seeker: Seeker): Promise<Found> {
    const { playerId, address } = seeker;
    if (playerId === undefined) return this.findQuickly(join, address);
    this.note(playerId, address, join);
    const others = (join.party ?? []).filter((member) => member !== playerId);
    if (others.length > 0) return this.#forParty(join, { playerId, address }, others);
    const isFriend = (friend: PlayerId) =>
      friend !== playerId && this.#deps.ways.named(friend, playerId);
    const friends = (join.friends ?? []).filter(isFriend);
    const { home, friendsIn, near } = await this.#company(playerId, friends);
    return { ...this.#ranked(join, address, { home, friendsIn }), near };
  }

  /** As `find`, for a player alone of whom nothing is asked of the database: for those who will wait. */
  findQuickly(join: Join, address: string): Found {
    return { ...this.#ranked(join, address, {}), near: new Set() };
  }

  /** For a caller of whom no more is known than the address. */
  rank(address: string, join?: Join): readonly RankedRegion[] {
    return this.#ranked(join, address, {}).ranking;
  }

  #ranked(
    join: Join | undefined,
    address: string,
    company: { readonly home?: RegionId | undefined; readonly friendsIn?: ReadonlySet<RegionId> },
  ): Omit<Found, "near"> {
    const { candidates } = this.#deps;
    const place = this.#deps.locator.locate(address);
    const measured = join ? freshOnly(join, join.roundTripsAgeMs ?? 0) : {};
    const wanted = { only: join?.region, avoid: join?.avoid };
    const { roundTripsMs, unanswered } = measured;
    const request = { place, roundTripsMs, unanswered, ...wanted, ...company };
    const wish = wishOf(join);
    return {
      ranking: inWords(rank(candidates.for(wish), request), { place, ...wanted }),
      choices: choicesOf(rank(candidates.waitable(wish), request)),
    };
  }

  #forParty(
    join: Join,
    { playerId, address }: { readonly playerId: PlayerId; readonly address: string },
    others: readonly PlayerId[],
  ): Found {
    const { candidates, locator, ways, waits } = this.#deps;
    const place = locator.locate(address);
    const playerIds = [playerId, ...others];
    // Of the caller something was noted just now; who is not known, or did not name the caller, doesn't weigh in.
    const members = playerIds.flatMap((member) => ways.of(member, playerId) ?? []);
    const waitedMs = waits.ask(playerIds);
    const wish = wishOf(join);
    const { region: only, avoid } = join;
    const asParty = { members, waitedMs, only, avoid };
    const waitable = candidates.waitable(wish);
    const choices = choicesOf(rankParty(waitable, asParty));
    // Where no region takes anybody, or not the one that they want, waiting brings them no nearer.
    const wanted = waitable.filter(({ regionId }) => isWanted(regionId, asParty));
    if (choices.length === 0 && wanted.some(({ obstacle }) => obstacle === undefined)) {
      throw new MeridianError("party_apart", { retryAfterMs: PARTY_RETRY_AFTER_MS });
    }
    const asked = { place, only, avoid, members: members.length };
    const ranking = inWords(rankParty(candidates.for(wish), asParty), asked);
    return { ranking, choices, near: new Set() };
  }

  /** Where the player was last, and where friends are at this moment. */
  async #company(playerId: PlayerId, friends: readonly PlayerId[]) {
    const { database, registry } = this.#deps;
    const rows = await store.selectLastSeats(database, [playerId, ...friends]);
    const near = new Set<NodeId>();
    const friendsIn = new Set<RegionId>();
    for (const row of rows) {
      if (row.player_id === playerId || row.session_id === null) continue;
      if (!registry.node(row.node_id)?.node.alive) continue;
      near.add(row.node_id);
      friendsIn.add(row.region_id);
    }
    const home = rows.find((row) => row.player_id === playerId)?.region_id;
    return { home, friendsIn, near };
  }
}

function inWords(ranked: readonly Ranked[], asked: Asked): RankedRegion[] {
  return ranked.map((one) => explain(one, asked));
}

function choicesOf(ranked: readonly Ranked[]): Choice[] {
  return ranked.flatMap(({ eligible, candidate: { regionId }, roundTripMs }) =>
    eligible ? [{ regionId, roundTripMs }] : [],
  );
}

function wishOf(join: Join | undefined) {
  return { game: join?.game, protocol: join?.protocol, build: join?.build };
}
