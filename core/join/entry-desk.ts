/**
 * Lets a player in, or into the queue. Where there are seats for everyone the join goes straight through; else it
 * is looked up in which class the player waits, and a place is given, or the one that there is goes on.
 *
 * A place is only given up when the seat is there: a region that refuses, hangs or fails costs a join, never the
 * place. Who plays already holds none: such a join takes the seat over, and so goes past the queue.
 */
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { JoinAnswer, JoinOutcome } from "../../shared/protocol/join.ts";
import type { AdmissionClass } from "../../shared/protocol/queue.ts";
import type { Admission } from "../admission/admission.ts";
import { NORMAL } from "../admission/classes.ts";
import type { Member } from "../admission/place.ts";
import type { PlayerWays } from "../gslb/player-ways.ts";
import type { CallGate } from "../http/call-gate.ts";
import { takesPlayers } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { Join, Places, SeatFinder } from "./seat-finder.ts";
import { asGood, othersThan, REGIONS_TRIED_MAX, triesNext } from "./seat-search.ts";
import type { Identified, Seating } from "./seating.ts";

export interface EntryDeskDeps {
  readonly admission: Admission;
  readonly finder: SeatFinder;
  readonly seating: Seating;
  readonly registry: Pick<Registry, "node">;
  /** Of joins that ask a region. */
  readonly gate: CallGate;
  readonly ways: Pick<PlayerWays, "mayJoinFor">;
  /** How much further away a player is sent without a question, ms. */
  readonly spillMs: number;
}

export interface Entrant extends Identified {
  /** Whether the same player can ask again; a guest who was made for this one join can't. */
  readonly comesBack: boolean;
}

interface Company {
  /** The others, who named this player too. */
  readonly party: readonly PlayerId[];
  readonly invited: readonly PlayerId[];
  /** Of the party. */
  readonly classes: readonly AdmissionClass[];
}

interface Entering {
  readonly places: Places;
  readonly company: Company;
  readonly playerClass: AdmissionClass;
  /** The only region in which the player is of that class; undefined for any. */
  readonly only?: RegionId | undefined;
}

interface Seatless {
  readonly places: Places;
  /** Whether the player had the place before this join. */
  readonly waited: boolean;
  readonly error: unknown;
}

export class EntryDesk {
  readonly #deps: EntryDeskDeps;

  constructor(deps: EntryDeskDeps) {
    this.#deps = deps;
  }

  /**
   * For a guest who is made only if there is a seat.
   * @throws {MeridianError} `region_full`, or why there is none
   */
  async placesForNew(join: Join, address: string): Promise<Places> {
    const places = await this.#deps.finder.placesQuickly(join, { address, playerId: undefined });
    const { admission } = this.#deps;
    const regionIds = this.#regionsOf(join, places);
    if (admission.isOpen(regionIds, 1)) return places;
    const opensAtMs = this.#opensAtMs(regionIds);
    const why = opensAtMs > 0 ? `It opens at ${iso(opensAtMs)}.` : "Every seat is taken.";
    throw new MeridianError("region_full", {
      message: `${why} Players who are logged in can wait for a seat in the queue.`,
      retryAfterMs: 5_000,
    });
  }

  /** @throws {MeridianError} `queued` for a client that can't wait; why there is neither seat nor place */
  async admit(join: Join, who: Entrant): Promise<JoinOutcome> {
    const { admission, finder } = this.#deps;
    const { playerId, caller } = who;
    await this.#restored(join, playerId);
    // Before anything that may fail: as long as the player tries, the place is kept.
    admission.hear(playerId);
    const seeker = { address: caller.address, playerId };
    const quick = await finder.placesQuickly(join, seeker);
    const choices = quick.choices.map(({ regionId }) => regionId);
    const company = await this.#companyOf(join, playerId, choices);
    const isOpen = (of: Places) =>
      admission.isOpen(this.#regionsOf(join, of), 1 + company.party.length);
    if (isOpen(quick)) {
      const places = await finder.placesFor(join, seeker);
      // Others may have had the seats meanwhile, and of this player nothing is known yet.
      if (isOpen(places)) return this.#enter(join, who, { places, company, playerClass: NORMAL });
    }
    const standing = await admission.classOf(playerId, choices);
    const alone = company.party.length === 0 && !standing.plays;
    const places = alone ? quick : await finder.placesFor(join, seeker);
    if (standing.plays) return await this.#takeOver(join, who, places, standing.nodeId);
    const { regionId: only } = standing;
    const playerClass = admission.sharedClass([standing.class, ...company.classes]);
    return this.#enter(join, who, { places, company, playerClass, only });
  }

  async #enter(
    join: Join,
    who: Entrant,
    { places, company, playerClass, only }: Entering,
  ): Promise<JoinOutcome> {
    const { admission } = this.#deps;
    const { playerId } = who;
    const regionIds = only === undefined ? this.#regionsOf(join, places) : [only];
    const waited = admission.rooms.find(playerId) !== undefined;
    const member = admission.enter({
      playerId,
      party: company.party,
      invited: company.invited,
      class: playerClass,
      regionIds,
      others: othersThan(places.choices, only),
      mayWait: who.comesBack,
    });
    if (!member) throw new MeridianError("region_full");
    const tried = new Set<RegionId>();
    for (;;) {
      const regionId = await admission.take(playerId);
      if (regionId === undefined) return this.#stay(join, places, who);
      try {
        return await this.#seatIn(regionId, join, places, who);
      } catch (error) {
        admission.untaken(playerId, regionId);
        tried.add(regionId);
        const isNext = (one: RegionId) => !tried.has(one) && admission.divert(playerId, one);
        const mayTry = helpsElsewhere(error, join) && tried.size < REGIONS_TRIED_MAX;
        if (mayTry && regionIds.some(isNext)) continue;
        return this.#seatless(join, who, { places, waited, error });
      }
    }
  }

  async #seatIn(
    regionId: RegionId,
    join: Join,
    { game, ranking, nodeIn }: Places,
    who: Identified,
  ): Promise<JoinAnswer> {
    const { admission, seating, gate } = this.#deps;
    const node = nodeIn(regionId);
    if (!node) throw new MeridianError("region_full");
    const onGranted = () => admission.granted(who.playerId, regionId);
    const wish = { join, game, nodes: [node], ranking, onGranted };
    const answer = await gate.run(() => seating.take(wish, who));
    admission.seated(who.playerId, regionId);
    return answer;
  }

  /**
   * The seat that the player has already counts: no place in the queue, and none needed. It counts where it is: to
   * another region they go only if nobody waits for it, or an empty one would be the way past every queue.
   */
  async #takeOver(
    join: Join,
    who: Identified,
    { game, choices, ranking, nodeIn }: Places,
    nodeId: NodeId,
  ): Promise<JoinAnswer> {
    const { admission, registry } = this.#deps;
    const own = registry.node(nodeId)?.node;
    // A node that gives no seats, not even in place of another, leaves its players as those whose region was lost.
    const mustMove = own === undefined || !takesPlayers(own);
    const mayMove = (one: RegionId) =>
      mustMove ? admission.opensAtMs(one) === undefined : admission.isOpen([one], 1);
    const nodes = choices.flatMap(({ regionId }) => {
      const isHome = own?.heartbeat.regionId === regionId;
      // A node that is full gives the player who is there another seat in place of the first.
      if (isHome && join.mode !== "joinById") return own;
      return isHome || mayMove(regionId) ? (nodeIn(regionId) ?? []) : [];
    });
    if (nodes.length === 0) throw new MeridianError("region_full", this.#whyShut(choices));
    const wish = { join, game, nodes: nodes.slice(0, REGIONS_TRIED_MAX), ranking };
    const answer = await this.#deps.gate.run(() => this.#deps.seating.take(wish, who));
    // One that a former token brought back, or a party.
    admission.leave(who.playerId);
    return answer;
  }

  /** Before when none of them lets anybody in; 0 where one does. */
  #opensAtMs(regionIds: readonly RegionId[]): number {
    return Math.min(...regionIds.map((one) => this.#deps.admission.opensAtMs(one) ?? 0));
  }

  #whyShut(choices: Places["choices"]): { readonly message: string } {
    const opensAtMs = this.#opensAtMs(choices.map(({ regionId }) => regionId));
    const why = opensAtMs > 0 ? `It opens at ${iso(opensAtMs)}.` : "Every seat is taken.";
    return { message: `${why} You play elsewhere, and can't wait for one meanwhile.` };
  }

  /**
   * No region gave the seat: whoever can wait, or waited, keeps the place, unless it is the player who is refused, or
   * the room is the obstacle: it would be called again at once, and hold a seat that others could have.
   */
  #seatless(join: Join, who: Entrant, { places, waited, error }: Seatless): JoinOutcome {
    const ofRoom = isFailure(error, "room_full") || isFailure(error, "room_not_found");
    const isRefused = ofRoom || (isFailure(error) && !triesNext(error, join.mode));
    const keeps = who.comesBack && !isRefused && (waited || join.mayQueue === true);
    if (!keeps) this.#deps.admission.leave(who.playerId);
    if (keeps && join.mayQueue && helpsElsewhere(error, join)) return this.#stay(join, places, who);
    throw error;
  }

  /** It is not the player's turn. A guest who was made for this join can't come back to the place. */
  #stay(join: Join, places: Places, { playerId, comesBack }: Entrant): JoinOutcome {
    const { admission } = this.#deps;
    const member = admission.rooms.find(playerId);
    if (comesBack && member) return this.#queued(join, places, member);
    admission.leave(playerId);
    throw new MeridianError(comesBack ? "place_lost" : "region_full");
  }

  #queued(join: Join, { ranking }: Places, member: Member): JoinOutcome {
    const queue = this.#deps.admission.place(member);
    if (join.mayQueue) return { queue, ranking: [...ranking] };
    const { position, regionId, eta, pollAfterMs, opensAtMs } = queue;
    if (opensAtMs !== undefined) throw notOpenYet(regionId, opensAtMs, pollAfterMs);
    const wait = eta ? `; about ${Math.ceil(eta.ms / 1_000)} s to go` : "";
    throw new MeridianError("queued", {
      message: `Every seat is taken: you are number ${position} in the queue for ${regionId}${wait}.`,
      retryAfterMs: pollAfterMs,
    });
  }

  /** After the core's memory was lost. A token that is of no use costs nothing. */
  async #restored({ queueToken }: Join, playerId: PlayerId): Promise<void> {
    if (queueToken === undefined) return;
    try {
      await this.#deps.admission.restore(queueToken, playerId);
    } catch (error) {
      if (!isFailure(error, "place_lost") && !isFailure(error, "forbidden")) throw error;
    }
  }

  /** Who of them plays already needs no seat, and holds no place. */
  async #companyOf(
    { party = [] }: Join,
    playerId: PlayerId,
    regionIds: readonly RegionId[],
  ): Promise<Company> {
    const { admission, ways } = this.#deps;
    const others = [...new Set(party)].filter((member) => member !== playerId);
    const mutual = others.filter((member) => ways.mayJoinFor(member, playerId));
    const invited = others.filter((member) => !mutual.includes(member));
    const standings = await Promise.all(
      mutual.map((member) => admission.classOf(member, regionIds)),
    );
    const waiting: PlayerId[] = [];
    const classes: AdmissionClass[] = [];
    for (const [at, member] of mutual.entries()) {
      const standing = standings[at];
      if (!standing || standing.plays) continue;
      waiting.push(member);
      classes.push(standing.class);
    }
    return { party: waiting, invited, classes };
  }

  /** A client that can't be asked is rather sent far than made to wait. */
  #regionsOf({ mayQueue }: Join, { choices }: Places): RegionId[] {
    return asGood(choices, mayQueue ? this.#deps.spillMs : Number.POSITIVE_INFINITY);
  }
}

/** Whether it is the region that failed: not the player, who left or may not join, nor we. */
function helpsElsewhere(error: unknown, { mode }: Join): boolean {
  return isFailure(error) && error.kind !== "caller_gone" && triesNext(error, mode);
}

function notOpenYet(regionId: RegionId, opensAtMs: number, retryAfterMs: number): MeridianError {
  return new MeridianError("queued", {
    message: `${regionId} opens at ${iso(opensAtMs)}: you have a place among those who wait for it.`,
    retryAfterMs,
  });
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
