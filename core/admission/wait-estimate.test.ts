/** What is told of the wait is what it comes to: each cause that moves a line, alone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import type { Eta } from "../../shared/protocol/queue.ts";
import { CLASSES_DEFAULT, parseClasses } from "./classes.ts";
import { Habits } from "./habits.ts";
import { WaitEstimate } from "./wait-estimate.ts";

const STEP_MS = 1_000;
const UNLIMITED = 1e6;
const COHORTS = 50;
const CLASSES = parseClasses(CLASSES_DEFAULT);
const [SUPPORTER, NORMAL] = [3, 4];

interface RegionOptions {
  readonly seats: number;
  readonly waiting: number;
  /** Ends a second of each session. */
  readonly ending: (ageS: number) => number;
  /** Of each who waits, a second. */
  readonly leaving?: number;
  readonly perSecondMax?: number;
}

/** A full region with a line that is kept as long as it is, by arrivals; seats by when they were taken. */
class Region {
  readonly waits: WaitEstimate;
  readonly habits: Habits;
  readonly options: RegionOptions;
  nowMs = 0;
  ending: (ageS: number) => number;
  /** Of the seats that are left, those that come to the line. */
  share = 1;
  /** Below 0: as many are to be left first. */
  free = 0;
  #cohorts: { atMs: number; seats: number }[];

  constructor(options: RegionOptions, habits = new Habits(0)) {
    const { perSecondMax = UNLIMITED, seats, ending } = options;
    this.options = options;
    this.habits = habits;
    this.ending = ending;
    this.waits = new WaitEstimate({ classes: CLASSES, perSecondMax, habits }, 0);
    this.#cohorts = [{ atMs: 0, seats }];
    this.#settle(0);
    this.waits.seated(seats);
  }

  eta(classIndex: number, seats: number): Eta | null {
    return this.waits.eta({ classIndex, seats, free: this.free, extra: 0 }, this.nowMs);
  }

  /** @param drawn how many of as many as are expected */
  pass(forMs: number, drawn: (mean: number) => number = (mean) => mean): void {
    const { waiting, seats, leaving = 0 } = this.options;
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; this.nowMs += STEP_MS) {
      let ends = 0;
      for (const cohort of this.#cohorts) {
        const ageS = (this.nowMs - cohort.atMs) / 1_000;
        const ended = Math.min(cohort.seats, drawn(cohort.seats * this.ending(ageS)));
        cohort.seats -= ended;
        ends += ended;
      }
      this.#settle(seats - ends);
      const size = ends * this.share;
      const call = { classIndex: NORMAL, size, skipped: 0, waitedMs: 600_000, headroom: false };
      this.waits.called(call, this.nowMs);
      this.waits.seated(ends);
      this.#give(ends);
      this.waits.gaveUp(600_000, drawn(leaving * waiting));
      this.habits.learn(this.nowMs);
    }
  }

  #give(seats: number): void {
    const last = this.#cohorts.at(-1);
    if (last && this.nowMs - last.atMs < 10_000) last.seats += seats;
    else this.#cohorts.push({ atMs: this.nowMs, seats });
    this.#cohorts = this.#cohorts.filter((one) => one.seats > 1e-6);
  }

  #settle(taken: number): void {
    const cohort = { ageMs: 600_000, players: this.options.waiting / COHORTS };
    const line = () => Array.from({ length: COHORTS }, () => cohort);
    this.waits.settle({ blocked: true, refills: false, taken, line }, this.nowMs);
  }
}

function isNear(ms: number | undefined, expectedMs: number, within: number): void {
  const told = `${ms} ms, where ${Math.round(expectedMs)} are expected`;
  assert.ok(ms !== undefined && Math.abs(ms / expectedMs - 1) < within, told);
}

test("nothing is said before anything is known, and all at once of seats that are free", () => {
  const habits = new Habits(0);
  const waits = new WaitEstimate({ classes: CLASSES, perSecondMax: 10, habits }, 0);
  const place = { classIndex: NORMAL, seats: 5, extra: 0 };
  assert.equal(waits.eta({ ...place, free: 0 }, 0), null);
  assert.equal(waits.eta({ ...place, free: 5 }, 0)?.ms, 500, "as many a second as are let in");
});

test("seats to go through seats a second, and those of the headroom are filled first", () => {
  const steady = { seats: 12_000, waiting: 1_000, ending: () => 1 / 600 };
  const region = new Region(steady);
  region.pass(120_000);
  isNear(region.eta(NORMAL, 1_000)?.ms, 50_000, 0.1);
  const lacking = new Region(steady);
  lacking.free = -500;
  lacking.pass(120_000);
  isNear(lacking.eta(NORMAL, 500)?.ms, 50_000, 0.1);
  const paced = new Region({ ...steady, perSecondMax: 5 });
  paced.pass(120_000);
  isNear(paced.eta(NORMAL, 1_000)?.ms, 200_000, 0.1);
});

test("whose turn was foreseen and did not come is not told for ever that it is now", () => {
  const region = new Region({ seats: 12_000, waiting: 1_000, ending: () => 1 / 600 });
  region.pass(120_000);
  isNear(region.eta(NORMAL, 20)?.ms, 1_000, 0.1);
  // Nobody leaves meanwhile.
  region.nowMs += 2_000;
  const overdue = region.eta(NORMAL, 20);
  isNear(overdue?.ms, 1_000, 0.1);
  assert.ok(overdue && overdue.lowMs <= overdue.ms && overdue.ms <= overdue.highMs);
  region.nowMs += 999;
  assert.equal(region.eta(NORMAL, 2)?.lowMs, 0, "nothing is before now");
});

test("who gives up makes the line shorter", () => {
  const region = new Region({
    ...{ seats: 12_000, waiting: 20_000, ending: () => 1 / 600, leaving: 0.001 },
  });
  region.pass(600_000);
  // Of the Erlang-A queue, as a fluid: ln(1 + 0.001 · 20,000 / 20) / 0.001, where 1,000 s would be without.
  isNear(region.eta(NORMAL, 20_000)?.ms, Math.log(2) * 1_000_000, 0.1);
});

test("a change of pace shows within two minutes", () => {
  const region = new Region({ seats: 12_000, waiting: 1_000, ending: () => 1 / 300 });
  // Long enough for sessions of all ages: else what changed with time looks as if it came with age.
  region.pass(1_800_000);
  region.ending = () => 1 / 1_200;
  region.pass(120_000);
  isNear(region.eta(NORMAL, 1_000)?.ms, 100_000, 0.25);
});

test("of the seats that are left only those count that come to the line", () => {
  const region = new Region({ seats: 12_000, waiting: 1_000, ending: () => 1 / 600 });
  region.share = 0.25;
  region.pass(600_000);
  isNear(region.eta(NORMAL, 1_000)?.ms, 200_000, 0.15);
});

test("when all began together, more and more end: known where an opening was seen before", () => {
  // Nobody plays for less than some minutes; then sessions end ever more often.
  const ending = (ageS: number) => Math.min(1 / 900, (ageS / 900) ** 2 / 900);
  const options = { seats: 2_000, waiting: 2_000, ending };
  const first = new Region(options);
  first.pass(3_000_000);
  const { habits } = first;
  const second = new Region(options, habits);
  second.pass(240_000);
  const told = second.eta(NORMAL, 400)?.ms;
  const unknown = new Region(options);
  unknown.pass(240_000);
  const guessed = unknown.eta(NORMAL, 400)?.ms ?? 0;
  // How it goes on.
  let [ends, ms] = [0, 240_000];
  for (; ends < 400; ms += 1_000) ends += (2_000 - ends) * ending(ms / 1_000);
  isNear(told, ms - 240_000, 0.2);
  assert.ok(guessed > 1.5 * (ms - 240_000), "by the pace so far it would be far too long");
});

test("those who get past others, and those whom others get past, are told so", () => {
  const region = new Region({ seats: 12_000, waiting: 1_000, ending: () => 1 / 600 });
  region.pass(60_000);
  const call = { size: 1, skipped: 0, waitedMs: 600_000, headroom: false };
  for (let n = 0; n < 2_000; n += 1) {
    region.waits.called({ ...call, classIndex: NORMAL, skipped: 40 }, region.nowMs);
    region.waits.called({ ...call, classIndex: SUPPORTER, waitedMs: 500 }, region.nowMs);
  }
  assert.ok(Math.abs(region.waits.ahead(NORMAL, 1, 100) - 60) < 1);
  assert.equal(region.waits.ahead(NORMAL, 3, 100), 100, "parties get past nobody");
  region.pass(1_000);
  const [normal, supporter] = [NORMAL, SUPPORTER].map((one) => region.eta(one, 500)?.ms);
  assert.ok(normal && supporter && normal > supporter);
});

test("the bounds hold for four of five and more, where the line is as simple as that", (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  const tries = cases(60, 1_000);
  let within = 0;
  for (let n = 0; n < tries; n += 1) {
    const perSecond = 2 + 20 * chance.float();
    const region = new Region({ seats: 600 * perSecond, waiting: 1_000, ending: () => 1 / 600 });
    region.pass(120_000, (mean) => poisson(mean, chance));
    const seats = 50 + chance.below(400);
    const eta = region.eta(NORMAL, seats);
    let waitMs = 0;
    for (let left = seats; left > 0; left -= 1) {
      waitMs += (-Math.log(1 - chance.float()) / perSecond) * 1_000;
    }
    if (eta && waitMs >= eta.lowMs && waitMs <= eta.highMs) within += 1;
  }
  t.diagnostic(`${within} of ${tries} within the bounds`);
  assert.ok(within / tries > 0.8, `${within} of ${tries}, seed ${seed}`);
});

function poisson(mean: number, chance: Chance): number {
  const end = Math.exp(-mean);
  let count = 0;
  for (let product = chance.float(); product > end; product *= chance.float()) count += 1;
  return count;
}
