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
import type { AdmissionClass, QueueClaim, QueuePlace } from "../../shared/protocol/queue.ts";
import type { Registry } from "../regions/registry.ts";
import type { RegistryState } from "../regions/registry-step.ts";
import type { AdmissionMetrics } from "./admission-metrics.ts";
import { Calls } from "./calls.ts";
import { sharedClass } from "./classes.ts";
import type { Newcomer, WaitingRoomsSettings } from "./entering.ts";
import { type Headroom, seatReports, takenSeats } from "./headroom.ts";
import type { Openings } from "./openings.ts";
import type { Member } from "./place.ts";
import { PlaceView } from "./place-view.ts";
import {
  classOf,
  type NodeFate,
  type PlayerClass,
  type PlayerStandings,
} from "./player-standing.ts";
import type { QueueTokens } from "./queue-token.ts";
import { Recovery } from "./recovery.ts";
import { type Mirror, WaitingLog, type WaitingRecord } from "./waiting-log.ts";
import { type Standing, WaitingRooms } from "./waiting-rooms.ts";

const TICK_MS = 100;
/** So long without a tick: meanwhile nobody could be heard either, because the process stood still. */
const DEAF_MS = 1_000;
/** Somebody whose turn may come within that is told at once, if the client can wait for the answer. */
const HOLD_WITHIN_MS = 8_000;
const HOLD_MS = 5_000;
/** Of it: those who came together must not all be between two polls at the same time, or nobody can be called. */
const HOLD_JITTER = 0.3;

/** Longer than a join may ask regions. */
const TAKING_MS = 15_000;

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
  readonly #view: PlaceView;
  readonly #recovery: Recovery;
  readonly #kept: WaitingLog;
  #reported: RegistryState | undefined;
  #opened: Openings["draws"] | undefined;
  /** Nodes that were heard of before say nothing of their seats, monotonic. */
  #heardSinceMs = Number.NEGATIVE_INFINITY;
  /** When the queue was looked at last. */
  #awakeMs = Number.POSITIVE_INFINITY;
  #stopping = false;
  #cancel: Cancel = () => {};

  constructor(deps: AdmissionDeps) {
    const { settings, registry, clock, metrics } = deps;
    this.#deps = deps;
    this.#life = clock.nowMs();
    this.#beganMs = clock.monotonicMs();
    const regionIds = registry.regions().map(({ spec }) => spec.id);
    this.#rooms = new WaitingRooms(settings, regionIds, this.#life);
    const rooms = this.#rooms;
    const own = { ...deps, rooms, life: this.#life, nowMs: () => this.nowMs };
    this.#view = new PlaceView(own);
    this.#recovery = new Recovery(own);
    this.#kept = new WaitingLog({ ...own, view: this.#view });
    metrics.watch(rooms, this.calls);
  }

  /** All times of the queue, ms since 1970: the wall's at the start, and never back from there. */
  get nowMs(): number {
    return this.#life + this.#deps.clock.monotonicMs() - this.#beganMs;
  }

  get rooms(): WaitingRooms {
    return this.#rooms;
  }

  async start(): Promise<void> {
    this.#report();
    await this.#recovery.recover();
    this.#cancel = this.#deps.clock.every(TICK_MS, () => this.#tick());
  }

  /** Those who wait on a connection are answered, and come back to the next core. */
  letGo(): void {
    this.#stopping = true;
    this.calls.ringAll();
  }

  async stop(): Promise<void> {
    this.#cancel();
    this.#kept.mirror();
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
  restore(token: string, playerId?: PlayerId): Promise<QueueClaim> {
    return this.#recovery.restore(token, playerId);
  }

  /**
   * How far the player has come. A poll that is held is answered when the player is called, or after up to 5 s.
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
    if (!hold || !this.#isNear(standing)) return this.#view.placeOf(member, standing);
    const heldMs = HOLD_MS * (1 - HOLD_JITTER * this.#deps.random());
    this.#rooms.stand(member, { dice: 0, heldMs }, this.nowMs);
    await this.wait(playerId, heldMs, gone);
    if (gone.aborted) {
      this.vanished(playerId);
      throw new MeridianError("caller_gone");
    }
    const still = this.#rooms.find(playerId);
    if (!still) throw new MeridianError("place_lost");
    this.#rooms.hear(still, this.nowMs);
    const options = { dice: this.#deps.random(), wasHeld: !this.#stopping };
    return this.#view.placeOf(still, this.#rooms.stand(still, options, this.nowMs));
  }

  /** The place as the client is told, and when to ask again. */
  place(member: Member): QueuePlace {
    return this.#view.placeOf(member, this.#stand(member));
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
    return this.#view.placeOf(member, this.#rooms.stand(member, options, this.nowMs));
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
      yield this.#view.claimOf(member);
    }
  }

  /** Redis was lost, and with it the seats that are being taken: each node is to tell first what it has. */
  forgetReports(): void {
    this.#reported = undefined;
    this.#heardSinceMs = this.#deps.clock.monotonicMs();
    this.#rooms.report(new Map());
  }

  #tick(): void {
    this.#report();
    this.#awakeMs = this.nowMs;
    this.#rooms.advance(this.nowMs);
    this.#settle();
    this.#kept.mirror();
    this.#kept.record(this.nowMs);
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
    return (position ?? 0) <= this.#rooms.front || (eta !== null && eta.lowMs <= HOLD_WITHIN_MS);
  }

  #fateOf(nodeId: NodeId | null): NodeFate {
    const found = nodeId === null ? undefined : this.#deps.registry.node(nodeId);
    if (!found) return "unknown";
    return found.node.alive ? "alive" : "lost";
  }
}
