/**
 * What players measured lately and where they are, so that a party's leader can join for all of them. In
 * memory, of the last `PLAYERS_MAX` who said so: what is missing here is a member who does not weigh in.
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

export class PlayerWays {
  readonly #clock: Clock;
  readonly #noted = new LRUCache<PlayerId, { readonly ways: PartyMember; readonly atMs: number }>({
    max: PLAYERS_MAX,
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(playerId: PlayerId, { ageMs, ...ways }: NotedWays): void {
    this.#noted.set(playerId, { ways, atMs: this.#clock.monotonicMs() - ageMs });
  }

  /** Undefined when nothing was heard of the player; without measurements when they are old. */
  of(playerId: PlayerId): PartyMember | undefined {
    const noted = this.#noted.get(playerId);
    if (!noted) return undefined;
    const { place, ...measured } = noted.ways;
    return { place, ...freshOnly(measured, this.#clock.monotonicMs() - noted.atMs) };
  }
}
