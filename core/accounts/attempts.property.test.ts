/**
 * What the attempt limits promise, for any history.
 *
 * TEST_SEED=<number> replays a run, RUNS=<number> sets how many cases are tried.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attemptLimitsOf } from "./attempt-limits.ts";
import { type Attempt, Attempts } from "./attempts.ts";

const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const numRuns = Number(process.env.RUNS ?? 100);
const limits = attemptLimitsOf({
  LOG_IN_FAILURES_PER_ACCOUNT_PER_HOUR: 20,
  LOG_IN_FAILURES_PER_ACCOUNT_BURST: 10,
  LOG_IN_FAILURES_PER_PREFIX_PER_SECOND: 0.5,
  LOG_IN_FAILURES_PER_PREFIX_BURST: 100,
  LOG_IN_FAILURES_PER_SECOND: 20,
  LOG_IN_FAILURES_BURST: 500,
  LOG_IN_CREDIT_PER_SUCCESS: 3,
});

const OWNER_PREFIX = "198.51.100";
const stranger = (account: string, prefix: string): Attempt => ({
  account,
  prefix,
  device: undefined,
  prefixKnown: false,
});

/** One whole attempt. @returns whether it was admitted */
function attempt(all: Attempts, one: Attempt, right: boolean, nowMs: number): boolean {
  const admission = all.begin(one, nowMs);
  if (admission.as === "refused") return false;
  all.end(one, admission.as, right ? "succeeded" : "failed", nowMs);
  return true;
}

const guess = fc.record({
  afterMs: fc.integer({ min: 0, max: 60_000 }),
  guesses: fc.integer({ min: 1, max: 200 }),
  prefix: fc.integer({ min: 0, max: 255 }).map((third) => `203.0.${third}`),
});

test("no guessing elsewhere locks out the owner, whose device or network is known", () => {
  const ways = fc.constantFrom("device", "prefix");
  fc.assert(
    fc.property(fc.array(guess, { maxLength: 40 }), ways, (guesses, way) => {
      const all = new Attempts(limits);
      const owner: Attempt = {
        account: "victim",
        prefix: way === "prefix" ? OWNER_PREFIX : "203.0.7",
        device: way === "device" ? "phone" : undefined,
        prefixKnown: way === "prefix",
      };
      let nowMs = 0;
      for (const { afterMs, guesses: count, prefix } of guesses) {
        nowMs += afterMs;
        for (let n = 0; n < count; n += 1) attempt(all, stranger("victim", prefix), false, nowMs);
        // A slip of the finger, and then the right one.
        assert.ok(attempt(all, owner, nowMs % 2 === 0, nowMs));
        assert.ok(attempt(all, owner, true, nowMs));
        nowMs += 60_000;
      }
    }),
    { seed, numRuns },
  );
});

test("guesses at one account are bounded, from however many networks they come", () => {
  fc.assert(
    fc.property(fc.array(guess, { maxLength: 60 }), (guesses) => {
      const all = new Attempts(limits);
      let nowMs = 0;
      let tried = 0;
      for (const { afterMs, guesses: count, prefix } of guesses) {
        nowMs += afterMs;
        for (let n = 0; n < count; n += 1) {
          if (attempt(all, stranger("victim", prefix), false, nowMs)) tried += 1;
        }
      }
      const { burst, perSecond } = limits.account;
      assert.ok(tried <= burst + (nowMs / 1_000) * perSecond);
    }),
    { seed, numRuns },
  );
});

test("guesses from one network are bounded, whatever accounts of its own it earns with", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 }), (ownAccounts) => {
      const all = new Attempts(limits);
      let tried = 0;
      const seconds = 600;
      for (let s = 0; s < seconds; s += 1) {
        const nowMs = s * 1_000;
        for (let own = 0; own < ownAccounts; own += 1) {
          const known = { ...stranger(`own ${own}`, "203.0.1"), prefixKnown: s > 0 };
          attempt(all, known, true, nowMs);
        }
        for (let n = 0; n < 50; n += 1) {
          if (attempt(all, stranger(`${s} ${n}`, "203.0.1"), false, nowMs)) tried += 1;
        }
      }
      const { burst, perSecond } = limits.prefix;
      const earned = ownAccounts * limits.creditPerSuccess;
      assert.ok(tried <= burst + seconds * perSecond + earned, `${tried} guesses`);
    }),
    { seed, numRuns: Math.min(numRuns, 12) },
  );
});

/** An hour of a carrier's network: 10,000 players log in, one program guesses all the time. */
function carrierHour(options: { guessesPerS: number; dice: () => number }) {
  const all = new Attempts(limits);
  const prefix = "192.0.2";
  const seen = { known: 0, knownRefused: 0, newcomers: 0, newcomersIn: 0, guesses: 0 };
  /** By the second at which they are due. */
  const retries = new Map<number, { player: number; tries: number }[]>();
  const { guessesPerS, dice } = options;

  function logIn(player: number, tries: number, s: number): void {
    const nowMs = s * 1_000;
    const returning = player % 10 !== 0;
    const one = { ...stranger(`player ${player}`, prefix), prefixKnown: returning };
    // One in twenty mistypes the first time.
    const right = tries > 0 || dice() >= 0.05;
    const admitted = attempt(all, one, right, nowMs);
    if (returning) {
      seen.known += 1;
      if (!admitted) seen.knownRefused += 1;
    } else if (tries === 0) seen.newcomers += 1;
    if (!returning && admitted && right) seen.newcomersIn += 1;
    else if (!(admitted && right) && tries < 5) {
      const atS = s + 1 + Math.floor(dice() * 10);
      retries.set(atS, [...(retries.get(atS) ?? []), { player, tries: tries + 1 }]);
    }
  }

  let player = 0;
  for (let s = 0; s < 3_600; s += 1) {
    for (const due of retries.get(s) ?? []) logIn(due.player, due.tries, s);
    while (player < ((s + 1) * 10_000) / 3_600) logIn(player++, 0, s);
    for (let n = 0; n < guessesPerS; n += 1) {
      const guessed = `guess ${Math.floor(dice() * 1_000_000)}`;
      if (attempt(all, stranger(guessed, prefix), false, s * 1_000)) seen.guesses += 1;
    }
  }
  return seen;
}

test("10,000 players of a carrier log in beside a guessing program on their network", () => {
  const cases = fc.record({
    guessesPerS: fc.constantFrom(1, 5, 10, 100),
    seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  });
  fc.assert(
    fc.property(cases, ({ guessesPerS, seed: own }) => {
      const seen = carrierHour({ guessesPerS, dice: diceOf(own) });
      assert.equal(seen.knownRefused, 0, "players who were there before are never refused");
      const share = seen.newcomersIn / seen.newcomers;
      // Nothing tells a newcomer from a program that guesses a hundred times a second: they share.
      if (guessesPerS <= 10) assert.ok(share >= 0.98, `${guessesPerS}/s: ${share}`);
      const { burst, perSecond } = limits.prefix;
      const most = burst + 3_600 * perSecond + 10_000 * limits.creditPerSuccess;
      assert.ok(seen.guesses <= most, `${seen.guesses} guesses`);
    }),
    { seed, numRuns: Math.min(numRuns, 5) },
  );
});

test("300,000 guesses are kept in bounded memory", () => {
  const all = new Attempts({ ...limits, everywhere: { perSecond: 1e9, burst: 1e9 } });
  for (let n = 0; n < 300_000; n += 1) {
    all.begin(stranger(`a${n}`, `10.${n >> 8}.${n & 255}`), n);
  }
  assert.ok(all.buckets <= 200_000);
});

/** The generator "mulberry32", so that a case is repeated exactly. */
function diceOf(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
