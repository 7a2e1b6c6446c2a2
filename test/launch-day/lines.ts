/**
 * Whoever is called is compared with everybody who waits, by what players were told only: numbers, and when they
 * are to ask again. Lines by region, class and size; heaps from which those that are gone are taken when they come
 * to the front, and those that are absent until they are heard of.
 */
import type { Unit } from "./clients.ts";

export const SIZES = 5;
const PASSED_SEATS_MAX = 32;

interface Spot {
  readonly number: number;
  readonly unit: Unit;
  readonly version: number;
}

export interface LinesFindings {
  inversions: number;
  /** Smaller ones passed a party more often than they may. */
  passedTooOften: number;
  passedSeatsMax: number;
  /** A class waited while others got more seats than its weight allows: the most, as a share of what may be. */
  starvedMax: number;
  /** While two classes wait, one got more seats by its weight than the other: the most, as a share of what may be. */
  unfairMax: number;
}

export interface LinesOptions {
  readonly regions: number;
  readonly weights: readonly number[];
  /** Classes that may have the headroom. */
  readonly headroom: readonly boolean[];
  readonly isPresent: (unit: Unit, nowMs: number) => boolean;
  /** As many players as a unit of that class must have, to be called together. */
  readonly sizeOf: (unit: Unit) => number;
}

export class Lines {
  readonly found: LinesFindings = {
    inversions: 0,
    passedTooOften: 0,
    passedSeatsMax: 0,
    starvedMax: 0,
    unfairMax: 0,
  };
  readonly #options: LinesOptions;
  readonly #heaps: Spot[][];
  /** By region and class: seats that others got since its last turn. */
  readonly #since: number[];
  readonly #weights: number;
  /** By region and two classes: seats by weight that the first got more since both wait. */
  readonly #leads: number[];

  constructor(options: LinesOptions) {
    this.#options = options;
    const classes = options.weights.length;
    this.#heaps = Array.from({ length: options.regions * classes * SIZES }, () => []);
    this.#since = Array.from({ length: options.regions * classes }, () => 0);
    this.#leads = Array.from({ length: options.regions * classes * classes }, () => 0);
    this.#weights = options.weights.reduce((a, b) => a + b, 0);
  }

  add(region: number, classIndex: number, unit: Unit, number: number): void {
    const heap = this.#heap(region, classIndex, this.#options.sizeOf(unit));
    push(heap, { number, unit, version: unit.version });
  }

  /** @param limitedFree what classes without headroom have left after this call */
  called(
    region: number,
    classIndex: number,
    unit: Unit,
    { number, nowMs, limitedFree }: CallDetails,
  ): void {
    const size = this.#options.sizeOf(unit);
    for (let other = 1; other <= SIZES; other += 1) {
      const first = this.#first(this.#heap(region, classIndex, other), unit, nowMs);
      if (!first || first.number > number) continue;
      if (other <= size) this.found.inversions += 1;
      else this.#passed(first.unit, region, size);
    }
    const classes = this.#options.weights.length;
    const isWaiting = (one: number) =>
      this.#first(this.#heap(region, one, 1), unit, nowMs) !== undefined;
    const calledWaits = isWaiting(classIndex);
    for (let other = 0; other < classes; other += 1) {
      const at = region * classes + other;
      const may = this.#options.headroom[other] || limitedFree >= 0;
      const waits = other !== classIndex && isWaiting(other);
      if (other !== classIndex)
        this.#compare([region, classIndex, other], size, waits && calledWaits && may);
      if (!waits) this.#since[at] = 0;
      else if (may) this.#since[at] = (this.#since[at] ?? 0) + size;
      const weight = this.#options.weights[other] ?? 1;
      // Of stride scheduling: what others may get between two turns of a class, with parties of the largest size.
      const bound = (SIZES * this.#weights) / weight + SIZES * classes;
      this.found.starvedMax = Math.max(this.found.starvedMax, (this.#since[at] ?? 0) / bound);
    }
  }

  /** Nothing of what was passed is known any more. */
  forget(): void {
    this.#since.fill(0);
    this.#leads.fill(0);
  }

  /** Of fair queueing by tags: two that wait on are never further apart than the largest party of each, by weight. */
  #compare(
    [region, called, other]: readonly [number, number, number],
    seats: number,
    isFair: boolean,
  ): void {
    const { weights } = this.#options;
    const at = (a: number, b: number) => (region * weights.length + a) * weights.length + b;
    const weight = weights[called] ?? 1;
    const lead = isFair ? (this.#leads[at(called, other)] ?? 0) + seats / weight : 0;
    this.#leads[at(called, other)] = lead;
    this.#leads[at(other, called)] = -lead;
    const bound = SIZES / weight + SIZES / (weights[other] ?? 1);
    this.found.unfairMax = Math.max(this.found.unfairMax, lead / bound);
  }

  #passed(unit: Unit, region: number, seats: number): void {
    const passed = (unit.passedSeats.get(region) ?? 0) + seats;
    unit.passedSeats.set(region, passed);
    this.found.passedSeatsMax = Math.max(this.found.passedSeatsMax, passed);
    if (passed > PASSED_SEATS_MAX) this.found.passedTooOften += 1;
  }

  /** The first one that is there and waits, other than `not`. */
  #first(heap: Spot[], not: Unit, nowMs: number): Spot | undefined {
    for (;;) {
      const [first] = heap;
      if (!first) return undefined;
      const { unit, version } = first;
      const isHere = version === unit.version && unit !== not && unit.calledMs === undefined;
      if (isHere && this.#options.isPresent(unit, nowMs)) return first;
      if (isHere) unit.parked = true;
      pop(heap);
    }
  }

  #heap(region: number, classIndex: number, size: number): Spot[] {
    const at = (region * this.#options.weights.length + classIndex) * SIZES;
    return this.#heaps[at + Math.min(SIZES, size) - 1] ?? [];
  }
}

interface CallDetails {
  readonly number: number;
  readonly nowMs: number;
  readonly limitedFree: number;
}

function push(heap: Spot[], spot: Spot): void {
  let at = heap.length;
  heap.push(spot);
  while (at > 0) {
    const parent = (at - 1) >>> 1;
    const above = heap[parent];
    if (!above || above.number <= spot.number) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = spot;
}

function pop(heap: Spot[]): void {
  const last = heap.pop();
  if (!last || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const right = left + 1;
    const child =
      (heap[right]?.number ?? Number.POSITIVE_INFINITY) <
      (heap[left]?.number ?? Number.POSITIVE_INFINITY)
        ? right
        : left;
    const below = heap[child];
    if (!below || below.number >= last.number) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
}
