/**
 * What players measured lately and where they are, so that a party's leader can join for all of them. In
 * memory, of the last `PLAYERS_MAX` who said so: what is missing here is a member who does not weigh in.
 *
 * A player weighs in only with those whom they named as their party. The answer to a join says how far its worst
 * placed member is from each region: whoever may ask that of anybody can tell where anybody lives. In the same way
 * players are found as friends only by those whom they named as friends or party: not by everybody who knows an id.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../../shared/clock.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { Place } from "./geo-locator.ts";
import type { PartyMember } from "./party.ts";
import { freshOnly, type Measured } from "./ranking.ts";

const PLAYERS_MAX = 50_000;

export interface NotedWays extends Measured {
  readonly place: Place;
  /** How old the measurements are, ms. */
  readonly ageMs: number;
}

/** Whom a player named; what is absent stays as it was. */
export interface NamedOthers {
  /** Who may join for the player. */
  readonly party?: readonly PlayerId[] | undefined;
  readonly friends?: readonly PlayerId[] | undefined;
}

interface Noted {
  readonly ways: PartyMember;
  readonly party: readonly PlayerId[];
  readonly friends: readonly PlayerId[];
  readonly atMs: number;
}

export class PlayerWays {
  readonly #clock: Clock;
  readonly #noted = new LRUCache<PlayerId, Noted>({ max: PLAYERS_MAX });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(playerId: PlayerId, { ageMs, ...ways }: NotedWays, named: NamedOthers): void {
    const former = this.#noted.get(playerId);
    this.#noted.set(playerId, {
      ways,
      party: named.party ?? former?.party ?? [],
      friends: named.friends ?? former?.friends ?? [],
      atMs: this.#clock.monotonicMs() - ageMs,
    });
  }

  /** Whether the player named `other`, as friend or party. */
  named(playerId: PlayerId, other: PlayerId): boolean {
    const { party = [], friends = [] } = this.#noted.get(playerId) ?? {};
    return party.includes(other) || friends.includes(other);
  }

  /** Whether the player named `leader` as of their party. */
  mayJoinFor(playerId: PlayerId, leader: PlayerId): boolean {
    return this.#noted.get(playerId)?.party.includes(leader) ?? false;
  }

  /**
   * As whoever joins for the player gets to know. Undefined when nothing was heard of the player, or the player
   * did not name `asker`; without measurements when they are old.
   */
  of(playerId: PlayerId, asker: PlayerId): PartyMember | undefined {
    const noted = this.#noted.get(playerId);
    if (!noted) return undefined;
    if (playerId !== asker && !noted.party.includes(asker)) return undefined;
    const { place, ...measured } = noted.ways;
    return { place, ...freshOnly(measured, this.#clock.monotonicMs() - noted.atMs) };
  }
}
