/** What is told of the wait is what it comes to, where the seats keep coming as they did. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { Outflow } from "./outflow.ts";

const STEP_MS = 250;
const UNLIMITED = 1e6;

interface Line {
  /** Seats a second. */
  readonly perSecond: number;
  /** Share of those who wait that gives up, a second. */
  readonly leaving?: number;
  readonly waiting: number;
}

/** Lets time pass in a line that is kept as long as it is, by arrivals. */
function pass(outflow: Outflow, fromMs: number, forMs: number, line: Line, chance: Chance): number {
  const { perSecond, leaving = 0, waiting } = line;
  for (let nowMs = fromMs; nowMs < fromMs + forMs; nowMs += STEP_MS) {
    outflow.advance(nowMs, { blocked: true, waiting });
    const served = poisson((perSecond * STEP_MS) / 1_000, chance);
    outflow.freed(served);
    outflow.served(served);
    outflow.gaveUp(poisson((leaving * waiting * STEP_MS) / 1_000, chance));
  }
  return fromMs + forMs;
}

function poisson(mean: number, chance: Chance): number {
  const end = Math.exp(-mean);
  let count = 0;
  for (let product = chance.float(); product > end; product *= chance.float()) count += 1;
  return count;
}

test("nothing is said before anything is known, and all at once of seats that are free", () => {
  const outflow = new Outflow(0);
  assert.equal(outflow.eta(5, 0, 10), null);
  assert.equal(outflow.eta(5, 5, 10)?.ms, 500, "as many a second as are let in");
});

test("seats to go through seats a second", () => {
  const chance = new Chance(1);
  const outflow = new Outflow(0);
  pass(outflow, 0, 300_000, { perSecond: 20, waiting: 1_000 }, chance);
  const eta = outflow.eta(1_000, 0, UNLIMITED);
  assert.ok(eta && Math.abs(eta.ms - 50_000) < 7_500, `${eta?.ms} ms`);
  assert.ok(eta.lowMs < eta.ms && eta.ms < eta.highMs);
  const paced = outflow.eta(1_000, 0, 5);
  assert.ok(paced && paced.ms > 180_000, "no faster than players are let in");
});

test("who gives up makes the line shorter", () => {
  const chance = new Chance(2);
  const outflow = new Outflow(0);
  pass(outflow, 0, 300_000, { perSecond: 20, leaving: 0.001, waiting: 20_000 }, chance);
  // ln(1 + 0.001 · 20,000 / 20) / 0.001, where 1,000 s would be without.
  const fluidMs = Math.log(2) * 1_000_000;
  const eta = outflow.eta(20_000, 0, UNLIMITED);
  assert.ok(eta && Math.abs(eta.ms / fluidMs - 1) < 0.15, `${eta?.ms} ms, ${fluidMs}`);
});

test("a change of pace shows within two minutes", () => {
  const chance = new Chance(3);
  const outflow = new Outflow(0);
  const atMs = pass(outflow, 0, 300_000, { perSecond: 40, waiting: 1_000 }, chance);
  pass(outflow, atMs, 120_000, { perSecond: 10, waiting: 1_000 }, chance);
  const eta = outflow.eta(1_000, 0, UNLIMITED);
  assert.ok(eta && Math.abs(eta.ms - 100_000) < 25_000, `${eta?.ms} ms`);
});

test("the bounds hold for about four of five", (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  const tries = cases(300, 5_000);
  let within = 0;
  for (let n = 0; n < tries; n += 1) {
    const perSecond = 2 + 20 * chance.float();
    const ahead = 50 + chance.below(400);
    const outflow = new Outflow(0);
    pass(outflow, 0, 120_000, { perSecond, waiting: 1_000 }, chance);
    const eta = outflow.eta(ahead, 0, UNLIMITED);
    let waitMs = 0;
    for (let left = ahead; left > 0; left -= 1) {
      waitMs += (-Math.log(1 - chance.float()) / perSecond) * 1_000;
    }
    if (eta && waitMs >= eta.lowMs && waitMs <= eta.highMs) within += 1;
  }
  t.diagnostic(`${within} of ${tries} within the bounds`);
  assert.ok(within / tries > 0.7 && within / tries < 0.92, `${within} of ${tries}, seed ${seed}`);
});
