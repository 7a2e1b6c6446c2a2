/**
 * For tests: the waiting rooms beside a naive model of them, which says what may never be. It knows of places
 * only what players were told, goes through all of them each time, and follows calls as they are made.
 */
import assert from "node:assert/strict";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import { QUEUE_GRACE_MS, QUEUE_POLL_MS_MAX, type QueueClaim } from "../../shared/protocol/queue.ts";
import type { Newcomer, WaitingRoomsSettings } from "./entering.ts";
import { PASSED_SEATS_MAX, type SeatReport } from "./region-queue.ts";
import { WaitingRooms } from "./waiting-rooms.ts";

/** The wheel goes by seconds, and time passes in steps of one at most. */
const LATE_MS = 2_001;
const SLACK_MS = 3_000;
const MISSED_MAX = 2;
/** A core needs some time to start. */
const DOWN_MS = 1_000;

interface Waiter {
  seenMs: number;
  graceMs: number;
  presentUntilMs: number;
}

/** One player or a party, as the model knows it. */
export interface Spot {
  readonly class: string;
  readonly members: Map<PlayerId, Waiter>;
  readonly numbers: Map<RegionId, number>;
  readonly passed: Map<RegionId, number>;
  called: RegionId | undefined;
  told: boolean;
  missed: number;
  /** When the last of it went who went. */
  leftMs: number;
}

export interface SimRegion {
  readonly id: RegionId;
  capacity: number;
  headroom: number;
  known: boolean;
  readonly taken: Set<PlayerId>;
  /** Leaky bucket of those who are let in. */
  level: number;
  levelAtMs: number;
}

export class RoomsModel {
  readonly settings: WaitingRoomsSettings;
  readonly regions: readonly SimRegion[];
  readonly worldMax: number;
  readonly spots = new Map<PlayerId, Spot>();
  rooms: WaitingRooms;
  nowMs = 1_700_000_000_000;
  calls = 0;
  pausedUntilMs = 0;

  constructor(settings: WaitingRoomsSettings, regions: readonly SimRegion[], worldMax: number) {
    this.settings = settings;
    this.regions = regions;
    this.worldMax = worldMax;
    this.rooms = this.#open();
  }

  get taken(): number {
    return this.regions.reduce((sum, { taken }) => sum + taken.size, 0);
  }

  report(): void {
    const known = this.regions.filter((region) => region.known);
    const reports = new Map(known.map((region) => [region.id, seatsOf(region)]));
    this.rooms.report(reports, this.worldMax - this.taken);
  }

  /** Everything is lost but what clients hold; nobody is let in for one longest poll. */
  restart(): void {
    this.nowMs += DOWN_MS;
    for (const spot of new Set(this.spots.values())) {
      spot.called = undefined;
      spot.missed = 0;
      spot.passed.clear();
      for (const waiter of spot.members.values()) waiter.presentUntilMs = this.nowMs;
    }
    this.rooms = this.#open();
    this.pausedUntilMs = this.nowMs + QUEUE_POLL_MS_MAX;
    for (const { id } of this.regions) this.rooms.pause(id, this.pausedUntilMs);
    this.report();
  }

  enter(newcomer: Newcomer): void {
    const before = this.rooms.find(newcomer.playerId)?.entry;
    const known = new Set([...this.spots.keys()].map((id) => this.rooms.find(id)?.entry));
    const member = this.rooms.enter(newcomer, this.nowMs);
    if (!member) return;
    const { entry } = member;
    if (!known.has(entry)) {
      for (const { playerId } of entry.members) this.forget(playerId);
      const spot: Spot = {
        class: newcomer.class,
        members: new Map(),
        numbers: new Map(entry.places.map(({ regionId, number }) => [regionId, number])),
        passed: new Map(),
        called: undefined,
        told: false,
        missed: 0,
        leftMs: 0,
      };
      for (const { playerId } of entry.members) {
        spot.members.set(playerId, this.#waiter());
        this.spots.set(playerId, spot);
      }
    } else if (entry !== before) {
      this.forget(newcomer.playerId);
      const inviting = this.spots.get(entry.leader);
      inviting?.members.set(newcomer.playerId, this.#waiter());
      if (inviting) this.spots.set(newcomer.playerId, inviting);
    }
    this.#heard(newcomer.playerId);
  }

  poll(playerId: PlayerId, hidden: boolean): void {
    const spot = this.spots.get(playerId);
    const claim = spot && !this.rooms.find(playerId) ? this.#claim(playerId, spot) : undefined;
    if (claim && this.rooms.restore(claim, this.nowMs)) {
      for (const one of spot?.members.values() ?? []) {
        one.seenMs = this.nowMs;
        one.graceMs = claim.graceMs;
      }
    }
    this.rooms.poll(playerId, hidden, this.nowMs);
    this.#heard(playerId);
  }

  stand(playerId: PlayerId, dice: number): void {
    const member = this.rooms.find(playerId);
    const waiter = this.spots.get(playerId)?.members.get(playerId);
    if (!member || !waiter) return;
    const standing = this.rooms.stand(member, { dice }, this.nowMs);
    assert.ok(standing.pollAfterMs <= QUEUE_POLL_MS_MAX);
    assert.ok(standing.position === null || standing.position >= 1);
    waiter.presentUntilMs = this.nowMs + standing.pollAfterMs + SLACK_MS;
    const spot = this.spots.get(playerId);
    if (spot && standing.called) spot.told = true;
  }

  /** Not there any more: seated, or gone. */
  forget(playerId: PlayerId): void {
    const spot = this.spots.get(playerId);
    spot?.members.delete(playerId);
    if (spot) spot.leftMs = this.nowMs;
    this.spots.delete(playerId);
  }

  /** What may never be, after whatever was done. */
  check(done: string): void {
    this.#checkGone(done);
    this.#checkCalls(done);
    const entries = new Set(
      [...this.spots.keys()].flatMap((id) => this.rooms.find(id)?.entry ?? []),
    );
    const leaders = new Set([...entries].map(({ leader }) => leader));
    assert.equal(leaders.size, entries.size, `${done}: two places of one leader`);
    const members = [...entries].flatMap((entry) => entry.members);
    assert.equal(members.length, new Set(members.map(({ playerId }) => playerId)).size, done);
    assert.equal(this.rooms.players, members.length, `${done}: players that nobody knows`);
    for (const entry of entries) {
      const spot = this.spots.get(entry.leader);
      assert.equal(entry.size, entry.members.length, done);
      assert.equal(spot?.members.size, entry.size, `${done}: not all of a party`);
      for (const { regionId, number } of entry.places) {
        if (!spot?.numbers.has(regionId)) spot?.numbers.set(regionId, number);
        assert.equal(number, spot?.numbers.get(regionId), `${done}: another number`);
      }
    }
    for (const { id } of this.regions) {
      const queue = this.rooms.queues.get(id);
      const called = [...entries].filter(({ call }) => call?.regionId === id);
      const waits = [...entries].filter(
        ({ call, places }) => !call && places.some(({ regionId }) => regionId === id),
      );
      const players = (list: readonly { readonly size: number }[]) =>
        list.reduce((sum, { size }) => sum + size, 0);
      assert.equal(queue?.held, players(called), `${done}: seats held for nobody, or for more`);
      assert.equal(queue?.waiting, players(called) + players(waits), `${done}: waiting`);
    }
  }

  /** Where nobody waits in a party, nobody who is there waits while there is a seat. Without a limit on joins. */
  checkNoneIdle(done: string): void {
    for (const region of this.regions) {
      const here = [...new Set(this.spots.values())].filter(
        (spot) => spot.numbers.has(region.id) && !spot.called,
      );
      if (!region.known || here.some(({ members }) => members.size > 1)) continue;
      const held = this.rooms.queues.get(region.id)?.held ?? 0;
      for (const spot of here.filter((one) => this.isPresent(one))) {
        const free = this.#freeFor(spot.class, region) - held;
        const idle = Math.min(free, this.#worldFree());
        assert.ok(idle <= 0, `${done}: ${idle} idle seats in ${region.id}`);
      }
    }
  }

  isPresent(spot: Spot): boolean {
    return [...spot.members.values()].some(({ presentUntilMs }) => presentUntilMs > this.nowMs);
  }

  #open(): WaitingRooms {
    return new WaitingRooms(
      this.settings,
      this.regions.map(({ id }) => id),
      this.nowMs,
    );
  }

  #waiter(): Waiter {
    return { seenMs: this.nowMs, graceMs: QUEUE_GRACE_MS, presentUntilMs: 0 };
  }

  #heard(playerId: PlayerId): void {
    const waiter = this.spots.get(playerId)?.members.get(playerId);
    if (!waiter) return;
    waiter.seenMs = this.nowMs;
    waiter.graceMs = this.rooms.find(playerId)?.graceMs ?? QUEUE_GRACE_MS;
    waiter.presentUntilMs = Math.max(waiter.presentUntilMs, this.nowMs + SLACK_MS);
  }

  #claim(playerId: PlayerId, spot: Spot): QueueClaim {
    const [leader = playerId] = spot.members.keys();
    return {
      ...{ playerId, leader, class: spot.class, life: 0, seenMs: this.nowMs },
      party: [...spot.members.keys()],
      places: [...spot.numbers],
      graceMs: spot.members.get(playerId)?.graceMs ?? QUEUE_GRACE_MS,
    };
  }

  /** Places that are gone, and calls that lapsed. */
  #checkGone(done: string): void {
    for (const spot of new Set(this.spots.values())) {
      const [first] = [...spot.members.keys()].flatMap((id) => this.rooms.find(id) ?? []);
      const keptMs = Math.max(
        ...[...spot.members.values()].map((one) =>
          Math.max(one.seenMs + one.graceMs, one.presentUntilMs),
        ),
      );
      const call = first?.entry.call;
      if (spot.called && !call) {
        if (spot.told) spot.missed += 1;
        spot.called = undefined;
        spot.told = false;
        for (const one of spot.members.values()) {
          one.presentUntilMs = Math.min(one.presentUntilMs, this.nowMs);
        }
      }
      const over = keptMs <= this.nowMs || spot.missed >= MISSED_MAX;
      if (!first) {
        // After a restart nobody is there before they show their claims.
        assert.ok(over || this.#restarted(spot), `${done}: a place was lost`);
        if (over) for (const id of [...spot.members.keys()]) this.forget(id);
        continue;
      }
      const dueMs = Math.max(keptMs, spot.leftMs) + LATE_MS;
      assert.ok(call || dueMs > this.nowMs, `${done}: a place was kept too long`);
    }
  }

  #restarted({ members }: Spot): boolean {
    return [...members.values()].every(({ presentUntilMs }) => presentUntilMs <= this.nowMs);
  }

  #checkCalls(done: string): void {
    const made = this.rooms.takeCalled().filter(({ call }) => call !== undefined);
    const heldBefore = new Map<RegionId, number>();
    for (const { id } of this.regions) {
      const here = made.filter(({ call }) => call?.regionId === id);
      const held = this.rooms.queues.get(id)?.held ?? 0;
      heldBefore.set(id, held - here.reduce((sum, { size }) => sum + size, 0));
    }
    for (const { leader, size, call } of made) {
      const spot = this.spots.get(leader);
      const region = this.regions.find(({ id }) => id === call?.regionId);
      assert.ok(spot && region, `${done}: nobody was called`);
      this.calls += 1;
      const held = (heldBefore.get(region.id) ?? 0) + size;
      heldBefore.set(region.id, held);
      assert.ok(region.known, `${done}: called into a region that is not known`);
      assert.ok(held <= this.#freeFor(spot.class, region), `${done}: more called than free`);
      assert.ok(this.#worldFree() >= 0, `${done}: more called than may be active`);
      assert.equal(size, spot.members.size, `${done}: not the whole party`);
      this.#checkOrder(spot, region, done);
      this.#checkRate(region, size, done);
      spot.called = region.id;
      spot.told = false;
    }
  }

  #checkOrder(spot: Spot, region: SimRegion, done: string): void {
    const { id } = region;
    const number = spot.numbers.get(id) ?? 0;
    for (const other of new Set(this.spots.values())) {
      const its = other.numbers.get(id);
      if (other === spot || other.called || its === undefined || its > number) continue;
      if (other.class !== spot.class || !this.isPresent(other)) continue;
      const { size } = other.members;
      assert.notEqual(size, spot.members.size, `${done}: an inversion`);
      if (size < spot.members.size || size > this.#mostOf(spot.class, region)) continue;
      const passed = (other.passed.get(id) ?? 0) + spot.members.size;
      other.passed.set(id, passed);
      assert.ok(passed <= PASSED_SEATS_MAX, `${done}: ${passed} seats passed a party`);
    }
  }

  /** Over any time as many as the rate says, the burst and one party at most. */
  #checkRate(region: SimRegion, size: number, done: string): void {
    const { perSecond, burst } = this.settings.rate;
    const leakedMs = this.nowMs - region.levelAtMs;
    region.level = Math.max(0, region.level - (leakedMs * perSecond) / 1_000);
    region.levelAtMs = this.nowMs;
    assert.ok(region.level < burst + 1e-6, `${done}: faster than players may be let in`);
    region.level += size;
  }

  #worldFree(): number {
    const queues = [...this.rooms.queues.values()];
    return this.worldMax - this.taken - queues.reduce((sum, { held }) => sum + held, 0);
  }

  #freeFor(name: string, region: SimRegion): number {
    return this.#mostOf(name, region) - region.taken.size;
  }

  #mostOf(name: string, { capacity, headroom }: SimRegion): number {
    const spec = this.settings.classes.find((one) => one.name === name);
    return spec?.usesHeadroom ? capacity : capacity - headroom;
  }
}

function seatsOf({ capacity, headroom, taken }: SimRegion): SeatReport {
  const all = capacity - taken.size;
  return { all, limited: all - headroom, limit: capacity - headroom };
}
