/** A place as its client is told of it, and the claim in its token and in the mirror. */
import type { PlayerId } from "../../shared/ids.ts";
import type { QueueClaim, QueuePlace } from "../../shared/protocol/queue.ts";
import type { Member, Place } from "./place.ts";
import type { QueueTokens } from "./queue-token.ts";
import type { Standing, WaitingRooms } from "./waiting-rooms.ts";

export interface PlaceViewDeps {
  readonly rooms: WaitingRooms;
  readonly tokens: QueueTokens;
  /** In which life of the core: when it began, ms since 1970. */
  readonly life: number;
  readonly nowMs: () => number;
}

export class PlaceView {
  readonly #deps: PlaceViewDeps;

  constructor(deps: PlaceViewDeps) {
    this.#deps = deps;
  }

  placeOf(member: Member, standing: Standing): QueuePlace {
    const { home, called, entry, opensAtMs, ...rest } = standing;
    const [, second] = entry.places;
    return {
      token: this.#deps.tokens.mint(this.claimOf(member)),
      state: called === undefined ? "waiting" : "called",
      regionId: called ?? home.regionId,
      number: this.#toldNumber(home),
      class: rest.class,
      position: rest.position,
      waiting: rest.waiting,
      eta: rest.eta,
      pollAfterMs: rest.pollAfterMs,
      graceMs: rest.graceMs,
      partySize: entry.size,
      offers: [...rest.offers],
      ...(second && { alsoWaitsFor: second.regionId }),
      ...(opensAtMs !== undefined && { opensAtMs }),
    };
  }

  claimOf(member: Member): QueueClaim {
    const { entry, playerId, graceMs, seenMs } = member;
    const party: PlayerId[] = [];
    if (entry.size > 1) for (const one of entry.members) party.push(one.playerId);
    return {
      playerId,
      leader: entry.leader,
      party,
      class: this.#deps.rooms.classNameOf(entry),
      places: entry.places.map((place) => [place.regionId, this.#toldNumber(place)]),
      seenMs: Math.floor(seenMs),
      graceMs,
      life: this.#deps.life,
    };
  }

  #toldNumber(place: Place): number {
    const queue = this.#deps.rooms.queues.get(place.regionId);
    return queue?.toldNumber(place, this.#deps.nowMs()) ?? place.number;
  }
}
