/**
 * Who is let in, and who waits: the waiting rooms with the world around them. Tells them what the regions have
 * free, lets time pass, keeps what they hold in the mirror, and gives places as clients see them.
 *
 * A seat counts only once its region has given it. Until then a place stays a place, whatever fails: the core, its
 * Redis, the region. What is lost with the core's memory and with its mirror comes back from the tokens that
 * waiting clients hold; for as long as they take to show them nobody is let in where somebody waited.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import {
  type AdmissionClass,
  QUEUE_HIDDEN_GRACE_MS,
  QUEUE_POLL_MS_MAX,
  type QueueClaim,
  type QueuePlace,
} from "../../shared/protocol/queue.ts";
import type { Registry } from "../regions/registry.ts";
import type { RegistryState } from "../regions/registry-step.ts";
import type { AdmissionMetrics } from "./admission-metrics.ts";
import { Calls } from "./calls.ts";
import { sharedClass } from "./classes.ts";
import { type Headroom, seatReports, takenSeats } from "./headroom.ts";
import type { Openings } from "./openings.ts";
import type { Member, Place } from "./place.ts";
import {
  classOf,
  type NodeFate,
  type PlayerClass,
  type PlayerStandings,
} from "./player-standing.ts";
import { FRONT, PRESENCE_SLACK_MS } from "./poll-delay.ts";
import type { QueueTokens } from "./queue-token.ts";
import {
  type Newcomer,
  type Standing,
  WaitingRooms,
  type WaitingRoomsSettings,
} from "./waiting-rooms.ts";

const TICK_MS = 100;
/** So long without a tick: meanwhile nobody could be heard either, because the process stood still. */
const DEAF_MS = 1_000;
/** While anybody waits, it is written down so often that they did. */
const RECORD_PERIOD_MS = 5_000;
/** Somebody whose turn comes within that is told at once, if the client can wait for the answer. */
const HOLD_WITHIN_MS = 8_000;
const HOLD_MS = 5_000;

/** Longer than a join may ask regions. */
const TAKING_MS = 15_000;

/** Keeps all places for the next life of the core, as well as it can. */
export interface Mirror {
  load(): Promise<readonly QueueClaim[] | undefined>;
  note(changes: ReadonlyMap<PlayerId, QueueClaim | undefined>): void;
}

/** Where people waited, in the database. */
export interface WaitingRecord {
  note(regionIds: readonly RegionId[]): Promise<void>;
  waitedSince(atMs: number): Promise<readonly RegionId[]>;
}

/** Seats that are being taken, over all cores. */
export interface Holds {
  take(
    regionId: RegionId,
    ids: readonly string[],
    free: number,
    untilMs: number,
    nowMs: number,
  ): Promise<boolean>;
  release(regionId: RegionId, ids: readonly string[]): void;
}

export interface AdmissionDeps {
  readonly settings: WaitingRoomsSettings;
  readonly headroom: Headroom;
  /** In the whole world. */
  readonly playersMax: number;
  readonly registry: Registry;
  readonly standings: PlayerStandings;
  readonly tokens: QueueTokens;
  readonly mirror: Mirror;
  readonly record: WaitingRecord;
  readonly holds: Holds;
  readonly openings: Pick<Openings, "draws" | "drawFor">;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: AdmissionMetrics;
}

export interface PollOptions {
  readonly hidden: boolean;
  readonly hold: boolean;
  readonly accept?: RegionId | undefined;
  /** Whether it may come before it is due: the first event of a stream. */
  readonly early?: boolean;
  /** Aborts when the client goes. */
  readonly gone: AbortSignal;
}

export class Admission implements Part {
  readonly name = "admission";
  readonly calls = new Calls();
  readonly #deps: AdmissionDeps;
  readonly #life: number;
  readonly #beganMs: number;
  readonly #rooms: WaitingRooms;
  #reported: RegistryState | undefined;
  #opened: Openings["draws"] | undefined;
  /** Nodes that were heard of before say nothing of their seats, monotonic. */
  #heardSinceMs = Number.NEGATIVE_INFINITY;
  #recordedMs = 0;
  /** When the queue was looked at last. */
  #awakeMs = Number.POSITIVE_INFINITY;
  #recorded: ReadonlySet<RegionId> = new Set();
  #stopping = false;
  #cancel: Cancel = () => {};

  constructor(deps: AdmissionDeps) {
    const { settings, registry, clock, metrics } = deps;
    this.#deps = deps;
    this.#life = clock.nowMs();
    this.#beganMs = clock.monotonicMs();
    const regionIds = registry.regions().map(({ spec }) => spec.id);
    this.#rooms = new WaitingRooms(settings, regionIds, this.#life);
    metrics.watch(this.#rooms, this.calls);
  }

  /** All times of the queue, ms since 1970: the wall's at the start, and never back from there. */
  get nowMs(): number {
    return this.#life + this.#deps.clock.monotonicMs() - this.#beganMs;
  }

  get rooms(): WaitingRooms {
    return this.#rooms;
  }

  async start(): Promise<void> {
    await this.#recover();
    this.#cancel = this.#deps.clock.every(TICK_MS, () => this.#tick());
  }

  /** Those who wait on a connection are answered, and come back to the next core. */
  letGo(): void {
    this.#stopping = true;
    this.calls.ringAll();
  }

  async stop(): Promise<void> {
    this.#cancel();
    this.#mirror();
  }

  /** Whether somebody of no special class would have a seat at once in one of these regions. */
  isOpen(regionIds: readonly RegionId[], size: number): boolean {
    this.#report();
    return this.#rooms.isOpen(regionIds, size, this.nowMs);
  }

  /** Whether nobody is let in there before an opening that is to come, ms since 1970; else undefined. */
  opensAtMs(regionId: RegionId): number | undefined {
    this.#report();
    return this.#rooms.queues.get(regionId)?.opensAtMs(this.nowMs);
  }

  /**
   * In which class the player waits, or that they play.
   * @param regionIds where they could wait
   * @throws {MeridianError} `unavailable`
   */
  async classOf(playerId: PlayerId, regionIds: readonly RegionId[]): Promise<PlayerClass> {
    const row = await this.#deps.standings.find(playerId);
    const fate = this.#fateOf(row?.node_id ?? null);
    return classOf(row, fate, regionIds, this.#deps.clock.nowMs());
  }

  /** In which class they wait together. */
  sharedClass(classes: readonly AdmissionClass[]): AdmissionClass {
    return sharedClass(this.#deps.settings.classes, classes);
  }

  /**
   * Gives the player a place, which may be called at once.
   * @returns undefined when the player would have to wait, and can't
   * @throws {MeridianError} `queue_full`, `region_full`
   */
  enter(newcomer: Newcomer): Member | undefined {
    this.#report();
    const member = this.#rooms.enter(newcomer, this.nowMs);
    this.#settle();
    return member;
  }

  /** Finds the player's place again after the core or its Redis was lost, if the token is of before that. */
  async restore(token: string, playerId?: PlayerId): Promise<QueueClaim> {
    const claim = this.#deps.tokens.verify(token);
    if (!claim) throw new MeridianError("place_lost");
    if (playerId !== undefined && claim.playerId !== playerId) throw new MeridianError("forbidden");
    if (this.#rooms.find(claim.playerId) || !this.#isOfBefore(claim)) return claim;
    const row = await this.#deps.standings.find(claim.playerId);
    // A token that was shown already: its seat was given meanwhile.
    const used = row?.placed_at && row.placed_at.getTime() >= claim.seenMs;
    if (row && !used && this.#restoreDrawn(claim)) {
      this.#deps.metrics.restored("token");
    }
    return claim;
  }

  /**
   * How far the player has come. A poll that is held is answered when the player is called, or after 5 s.
   * @throws {MeridianError} `place_lost`, `too_many_requests`, `bad_request` for what was not offered
   */
  async poll(
    token: string,
    { hidden, hold, accept, early, gone }: PollOptions,
  ): Promise<QueuePlace> {
    const { playerId } = await this.restore(token);
    this.#report();
    const maybeEarly = early || accept !== undefined;
    const member = this.#rooms.poll(playerId, hidden, this.nowMs, maybeEarly);
    if (accept !== undefined) this.#rooms.accept(member, accept, this.nowMs);
    this.#settle();
    const standing = this.#stand(member);
    if (!hold || !this.#isNear(standing)) return this.#placeOf(member, standing);
    this.#rooms.stand(member, { dice: 0, heldMs: HOLD_MS }, this.nowMs);
    await this.wait(playerId, HOLD_MS, gone);
    if (gone.aborted) {
      this.vanished(playerId);
      throw new MeridianError("caller_gone");
    }
    const still = this.#rooms.find(playerId);
    if (!still) throw new MeridianError("place_lost");
    this.#rooms.hear(still, this.nowMs);
    return this.place(still);
  }

  /** The place as the client is told, and when to ask again. */
  place(member: Member): QueuePlace {
    return this.#placeOf(member, this.#stand(member));
  }

  /** Until the player is called, the client goes or so much time has passed. */
  wait(playerId: PlayerId, waitMs: number, gone: AbortSignal): Promise<void> {
    if (this.#stopping || gone.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        stop();
        cancel();
        gone.removeEventListener("abort", done);
        resolve();
      };
      const stop = this.calls.listen(playerId, done);
      const cancel = this.#deps.clock.after(waitMs, done);
      gone.addEventListener("abort", done, { once: true });
    });
  }

  /** The place of a client on a stream, who is there for so long in any case. */
  streamed(member: Member, heldMs: number): QueuePlace {
    this.#rooms.hear(member, this.nowMs);
    const options = { dice: this.#deps.random(), heldMs };
    return this.#placeOf(member, this.#rooms.stand(member, options, this.nowMs));
  }

  /** The connection that the player waited on is gone. */
  vanished(playerId: PlayerId): void {
    this.#rooms.vanished(playerId, this.nowMs);
  }

  /** Whether those who wait on a connection are to come back to the next core. */
  get stopping(): boolean {
    return this.#stopping;
  }

  leave(playerId: PlayerId): void {
    this.#rooms.leave(playerId, this.nowMs);
    this.calls.ring(playerId);
    this.#settle();
  }

  /**
   * The called player's seat is about to be asked of that region.
   * @returns undefined when the player is not called, or other cores have given the seats meanwhile
   */
  async take(playerId: PlayerId): Promise<RegionId | undefined> {
    const regionId = this.#rooms.take(playerId, this.nowMs);
    if (regionId === undefined) return undefined;
    const queue = this.#rooms.queues.get(regionId);
    const free = Math.max(0, queue?.seats?.all ?? 0);
    const untilMs = this.nowMs + TAKING_MS;
    if (await this.#deps.holds.take(regionId, [playerId], free, untilMs, this.nowMs)) {
      return regionId;
    }
    this.#rooms.untaken(playerId, this.nowMs);
    return undefined;
  }

  /** The region has given the seat, and counts it from now on: it is no seat that is being taken any more. */
  granted(playerId: PlayerId, regionId: RegionId): void {
    this.#deps.holds.release(regionId, [playerId]);
  }

  /** The player has the seat, and waits no more. */
  seated(playerId: PlayerId, regionId: RegionId): void {
    this.#rooms.seated(playerId, this.nowMs);
    this.#deps.metrics.seated(regionId);
  }

  /** The region gave none: the place is where it was. */
  untaken(playerId: PlayerId, regionId: RegionId): void {
    this.#deps.holds.release(regionId, [playerId]);
    this.#rooms.untaken(playerId, this.nowMs);
    this.#deps.metrics.untaken(regionId);
  }

  /** Whether that region has a seat for the player at once, in place of the one that gave none. */
  divert(playerId: PlayerId, regionId: RegionId): boolean {
    this.#report();
    const isCalled = this.#rooms.divert(playerId, regionId, this.nowMs);
    this.#settle();
    return isCalled;
  }

  /** The player of a place is there: tries to join. */
  hear(playerId: PlayerId): void {
    const member = this.#rooms.find(playerId);
    if (member) this.#rooms.hear(member, this.nowMs);
  }

  /** What the mirror writes anew when it was emptied. */
  *claims(): Generator<QueueClaim> {
    const leaders = new Set<PlayerId>();
    for (const member of this.#rooms.members()) {
      if (leaders.has(member.entry.leader)) continue;
      leaders.add(member.entry.leader);
      yield this.#claimOf(member);
    }
  }

  /** Redis was lost, and with it the seats that are being taken: each node is to tell first what it has. */
  forgetReports(): void {
    this.#reported = undefined;
    this.#heardSinceMs = this.#deps.clock.monotonicMs();
    this.#rooms.report(new Map());
  }

  /** A number that could not be told before an opening is drawn again, also after it. */
  #restoreDrawn(claim: QueueClaim, presentUntilMs?: number): boolean {
    const { nowMs } = this;
    const places = claim.places.map(([regionId, told]): [RegionId, number] => {
      if (told !== 0) return [regionId, told];
      const draw = this.#deps.openings.drawFor(regionId, claim.seenMs);
      const queue = this.#rooms.queues.get(regionId);
      return [regionId, draw?.numberOf(claim.leader) ?? queue?.number(claim.leader, nowMs) ?? 0];
    });
    const drawn = claim.places.flatMap(([regionId, told]) => (told === 0 ? regionId : []));
    const options = { drawn, ...(presentUntilMs !== undefined && { presentUntilMs }) };
    return this.#rooms.restore({ ...claim, places }, nowMs, options);
  }

  async #recover(): Promise<void> {
    const { mirror, record, log, metrics } = this.#deps;
    this.#report();
    const claims = await mirror.load();
    // As long as the slowest client's poll may take nobody of them is passed by one who asks sooner.
    const presentUntilMs = this.nowMs + QUEUE_POLL_MS_MAX + PRESENCE_SLACK_MS;
    for (const claim of claims ?? []) {
      if (this.#restoreDrawn(claim, presentUntilMs)) metrics.restored("mirror");
    }
    if (claims !== undefined) {
      if (claims.length > 0) log.info({ places: claims.length }, "the queue is as it was");
      return;
    }
    const waited = await record.waitedSince(this.#life - QUEUE_HIDDEN_GRACE_MS);
    for (const regionId of waited) this.#rooms.pause(regionId, this.#life + QUEUE_POLL_MS_MAX);
    if (waited.length === 0) return;
    const details = { regionIds: waited, pauseMs: QUEUE_POLL_MS_MAX, runbook: "core-queue-lost" };
    log.error(details, "the queue is lost: it is made anew from the tokens of those who wait");
  }

  #tick(): void {
    this.#report();
    this.#awakeMs = this.nowMs;
    this.#rooms.advance(this.nowMs);
    this.#settle();
    this.#mirror();
    this.#record();
  }

  /** Without it a later loss is not known to be one; where it fails, the next period tries again. */
  #record(): void {
    const waiting: RegionId[] = [];
    for (const [regionId, queue] of this.#rooms.queues)
      if (queue.waiting > 0) waiting.push(regionId);
    const isDue = this.nowMs - this.#recordedMs >= RECORD_PERIOD_MS;
    if (!isDue && waiting.every((regionId) => this.#recorded.has(regionId))) return;
    this.#recordedMs = this.nowMs;
    this.#recorded = new Set(waiting);
    if (waiting.length === 0) return;
    this.#deps.record.note(waiting).catch((err: unknown) => {
      this.#deps.log.warn({ err, runbook: "core-database" }, "can't note who waits");
    });
  }

  /** The mirror is told behind what happened. */
  #mirror(): void {
    const changed = this.#rooms.takeChanged();
    if (changed.size === 0) return;
    const claims = new Map<PlayerId, QueueClaim | undefined>();
    for (const [leader, entry] of changed) {
      const [member] = entry?.members ?? [];
      claims.set(leader, member && this.#claimOf(member));
    }
    this.#deps.mirror.note(claims);
  }

  /** Before anything that depends on who is there; whoever comes first finds out that time has passed. */
  #noteDeafness(): void {
    const { nowMs } = this;
    const deafMs = nowMs - this.#awakeMs - TICK_MS;
    if (deafMs < DEAF_MS) return;
    this.#awakeMs = nowMs;
    this.#rooms.resumed(deafMs, nowMs);
    const details = { deafMs: Math.round(deafMs), runbook: "core-queue" };
    this.#deps.log.warn(
      details,
      "the core stood still: nobody in the queue is taken for late by that",
    );
  }

  #report(): void {
    this.#noteDeafness();
    const { registry, openings, headroom, playersMax } = this.#deps;
    if (registry.state === this.#reported && openings.draws === this.#opened) return;
    this.#opened = openings.draws;
    this.#reported = registry.state;
    const regions = registry.regions();
    for (const { spec } of regions) this.#rooms.addRegion(spec.id, this.nowMs);
    for (const regionId of [...this.#rooms.queues.keys()]) {
      if (!registry.region(regionId)) this.#rooms.removeRegion(regionId, this.nowMs);
    }
    const taken = Number.isFinite(playersMax) ? takenSeats(regions) : 0;
    for (const { spec } of regions) {
      this.#rooms.open(spec.id, openings.draws.get(spec.id)?.at(-1));
    }
    const reports = seatReports(regions, headroom, this.#heardSinceMs);
    this.#rooms.report(reports, playersMax - taken);
  }

  #settle(): void {
    for (const entry of this.#rooms.takeCalled()) {
      for (const { playerId } of entry.members) this.calls.ring(playerId);
    }
  }

  #stand(member: Member): Standing {
    return this.#rooms.stand(member, { dice: this.#deps.random() }, this.nowMs);
  }

  #isNear({ called, eta, position, opensAtMs }: Standing): boolean {
    if (called !== undefined || this.calls.full || opensAtMs !== undefined) return false;
    return (position ?? 0) <= FRONT || (eta !== null && eta.ms <= HOLD_WITHIN_MS);
  }

  #placeOf(member: Member, standing: Standing): QueuePlace {
    const { home, called, entry, opensAtMs, ...rest } = standing;
    const [, second] = entry.places;
    return {
      token: this.#deps.tokens.mint(this.#claimOf(member)),
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

  #claimOf(member: Member): QueueClaim {
    const { entry, playerId, graceMs, seenMs } = member;
    const party: PlayerId[] = [];
    if (entry.size > 1) for (const one of entry.members) party.push(one.playerId);
    return {
      playerId,
      leader: entry.leader,
      party,
      class: this.#deps.settings.classes[entry.class]?.name ?? "",
      places: entry.places.map((place) => [place.regionId, this.#toldNumber(place)]),
      seenMs: Math.floor(seenMs),
      graceMs,
      life: this.#life,
    };
  }

  #toldNumber(place: Place): number {
    return this.#rooms.queues.get(place.regionId)?.toldNumber(place, this.nowMs) ?? place.number;
  }

  /** A token of this life says nothing that is not known; one of a former life counts within its grace. */
  #isOfBefore({ life, seenMs, graceMs }: QueueClaim): boolean {
    if (life >= this.#life || this.nowMs > this.#life + graceMs) return false;
    return this.#life - seenMs <= graceMs;
  }

  #fateOf(nodeId: NodeId | null): NodeFate {
    const found = nodeId === null ? undefined : this.#deps.registry.node(nodeId);
    if (!found) return "unknown";
    return found.node.alive ? "alive" : "lost";
  }
}
