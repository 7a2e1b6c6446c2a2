/** Follows every call: whether it was this one's turn, how fast they come, and what became of them. */

import type { WaitingRoomsSettings } from "../../core/admission/entering.ts";
import type { Entry } from "../../core/admission/place.ts";
import type { WaitingRooms } from "../../core/admission/waiting-rooms.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { Books } from "./books.ts";
import type { Client, Unit } from "./clients.ts";
import { Lines } from "./lines.ts";
import type { LaunchRegion } from "./regions.ts";

const PARTY_MAX = 5;
/** The absent are noticed by seconds. */
const LATE_MS = 2_000;
const SETTLED_AFTER_MS = 3_600_000;

export interface CallWatchOptions {
  readonly clients: readonly Client[];
  readonly regions: readonly LaunchRegion[];
  readonly settings: WaitingRoomsSettings;
  readonly worldMax: number;
  readonly opensAtMs: number;
}

export class CallWatch {
  readonly lines: Lines;
  readonly #options: CallWatchOptions;
  readonly #books: Books;
  readonly #indexOf: ReadonlyMap<RegionId, number>;
  readonly #classOf: ReadonlyMap<string, number>;
  readonly #called = new Set<Unit>();
  /** Leaky buckets of those who are let in. */
  readonly #levels: { level: number; atMs: number }[];
  readonly #lastNumbers: number[];

  constructor(options: CallWatchOptions, books: Books) {
    const { regions, settings } = options;
    this.#options = options;
    this.#books = books;
    this.#indexOf = new Map(regions.map(({ id }, index) => [id, index]));
    this.#classOf = new Map(settings.classes.map(({ name }, index) => [name, index]));
    this.#levels = regions.map(() => ({ level: 0, atMs: 0 }));
    this.#lastNumbers = regions.map(() => 0);
    this.lines = new Lines({
      regions: regions.length,
      weights: settings.classes.map(({ weight }) => weight),
      headroom: settings.classes.map(({ usesHeadroom }) => usesHeadroom),
      isPresent,
      sizeOf: ({ members }) => members.length,
    });
  }

  get active(): number {
    return this.#options.regions.reduce((sum, { taken }) => sum + taken, 0);
  }

  entered(unit: Unit, entry: Entry, nowMs: number): void {
    for (const { regionId, number } of entry.places) {
      unit.numbers.set(regionId, number);
      const region = this.#indexOf.get(regionId) ?? 0;
      if (nowMs >= this.#options.opensAtMs) {
        // Who comes later has a higher number.
        if (number <= (this.#lastNumbers[region] ?? 0)) this.#books.outOfTurnNumbers += 1;
        this.#lastNumbers[region] = number;
      }
    }
    this.#add(unit);
  }

  accepted(unit: Unit, entry: Entry): void {
    for (const { regionId, number } of entry.places) {
      if (unit.numbers.has(regionId)) continue;
      unit.numbers.set(regionId, number);
      const region = this.#indexOf.get(regionId) ?? 0;
      this.#lastNumbers[region] = Math.max(this.#lastNumbers[region] ?? 0, number);
    }
    unit.version += 1;
    // What was told before was of another choice.
    unit.told.length = 0;
    this.#add(unit);
  }

  heard(unit: Unit, nowMs: number): void {
    if (!unit.parked) return;
    unit.parked = false;
    // At this moment one of them is there, whatever was told before.
    const [first] = unit.members;
    if (first) first.presentUntilMs = Math.max(first.presentUntilMs, nowMs + 1);
    this.#add(unit);
  }

  /** Of a place that it keeps, the number stays. */
  numbers(unit: Unit, entry: Entry): void {
    for (const { regionId, number } of entry.places) {
      if (unit.numbers.get(regionId) !== number) this.#books.numbersChanged += 1;
    }
  }

  /** One of them has gone, or sits. */
  left(unit: Unit): void {
    unit.version += 1;
    if (unit.members.length === 0) this.#called.delete(unit);
    else if (unit.calledMs === undefined) this.#add(unit);
  }

  called(rooms: WaitingRooms, entries: readonly Entry[], nowMs: number): void {
    const { clients, regions, settings } = this.#options;
    for (const { leader, size, call } of entries) {
      const unit = clients[Number(leader.slice(1))]?.unit;
      const index = call ? this.#indexOf.get(call.regionId) : undefined;
      const region = index === undefined ? undefined : regions[index];
      if (!unit || index === undefined || !region) continue;
      this.#books.calls += 1;
      const isThere = unit.members.some(({ toldUntilMs }) => toldUntilMs + LATE_MS > nowMs);
      if (!isThere) this.#books.calledAbsent += 1;
      if (size !== unit.members.length) this.#books.partiesApart += 1;
      const held = rooms.queues.get(region.id)?.held ?? 0;
      const classIndex = this.#classOf.get(unit.class) ?? 0;
      const limitedFree = region.report().limited - held;
      const usesHeadroom = settings.classes[classIndex]?.usesHeadroom ?? false;
      if (!usesHeadroom && limitedFree < 0 && entries.length === 1) this.#books.overActive += 1;
      this.lines.called(index, classIndex, unit, {
        number: unit.numbers.get(region.id) ?? 0,
        ...{ nowMs, limitedFree },
      });
      this.#rate(index, size, nowMs);
      if (!unit.wasCalled) {
        this.#books.waited(unit.class, nowMs - Math.max(unit.arrivedMs, this.#options.opensAtMs));
        this.#books.came(unit.told, nowMs, {
          disturbed: unit.disturbed,
          settledMs: this.#options.opensAtMs + SETTLED_AFTER_MS,
        });
      }
      unit.told.length = 0;
      unit.wasCalled = true;
      unit.calledMs = nowMs;
      unit.passedSeats.clear();
      this.#called.add(unit);
    }
    let held = 0;
    for (const queue of rooms.queues.values()) held += queue.held;
    const active = this.active + held;
    this.#books.activeMax = Math.max(this.#books.activeMax, active);
    if (active > this.#options.worldMax) this.#books.overActive += 1;
  }

  seated(unit: Unit, nowMs: number): void {
    if (unit.members.length === 1) this.#books.heldMs.add(nowMs - (unit.calledMs ?? nowMs));
  }

  /** Calls that nobody came for: their places are in line again, absent until heard of. */
  lapsed(rooms: WaitingRooms, nowMs: number): void {
    for (const unit of this.#called) {
      const first = unit.members.find(({ id }) => rooms.find(id));
      if (first && rooms.find(first.id)?.entry.call) continue;
      this.#called.delete(unit);
      this.#books.lapsed += 1;
      this.#books.heldMs.add(nowMs - (unit.calledMs ?? nowMs));
      unit.calledMs = undefined;
      unit.version += 1;
      unit.parked = true;
      for (const one of unit.members) {
        one.presentUntilMs = Math.min(one.presentUntilMs, nowMs);
      }
    }
  }

  restarted(): void {
    this.lines.forget();
    for (const unit of this.#called) {
      unit.calledMs = undefined;
      unit.version += 1;
      this.#add(unit);
    }
    this.#called.clear();
    for (const { unit } of this.#options.clients) unit?.passedSeats.clear();
    // The bucket of a new life is full.
    for (const one of this.#levels) one.level = 0;
  }

  #add(unit: Unit): void {
    const classIndex = this.#classOf.get(unit.class) ?? 0;
    for (const [regionId, number] of unit.numbers) {
      this.lines.add(this.#indexOf.get(regionId) ?? 0, classIndex, unit, number);
    }
  }

  /** Over any time as many as the rate says, the burst and one party at most. */
  #rate(index: number, size: number, nowMs: number): void {
    const bucket = this.#levels[index];
    if (!bucket) return;
    const { perSecond, burst } = this.#options.settings.rate;
    const leaked = ((nowMs - bucket.atMs) * perSecond) / 1_000;
    bucket.level = Math.max(0, bucket.level - leaked) + size;
    bucket.atMs = nowMs;
    if (bucket.level > burst + PARTY_MAX) this.#books.tooFast += 1;
  }
}

function isPresent(unit: Unit, nowMs: number): boolean {
  return unit.members.some(
    ({ presentUntilMs, doing }) => presentUntilMs > nowMs && doing !== "gone",
  );
}
