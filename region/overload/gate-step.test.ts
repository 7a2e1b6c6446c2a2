import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { heightOf, OverloadLevel, reaches } from "../../shared/protocol/overload.ts";
import { CALM, type GateEffect, type GateState, gateStep, mediansOf } from "./gate-step.ts";
import {
  CALM_MS,
  GAP_MAX_MS,
  HOLD_MS,
  MEDIAN_OF,
  NOTHING_TO_DO as QUIET,
  type Rung,
  SAMPLE_MS,
  type Sample,
  SHED_PERIOD_MS,
  SIGNALS,
  type Signal,
  THRESHOLDS,
} from "./thresholds.ts";

const RUNGS = OverloadLevel.options.slice(1) as readonly Rung[];
const UNBEARABLE: Sample = { ...QUIET, loopDelay: 25 };
/** A median of new samples only. */
const MEDIAN_MS = MEDIAN_OF * SAMPLE_MS;

interface Moment {
  readonly sample: Sample;
  readonly gapMs: number;
}

interface Passed {
  readonly state: GateState;
  readonly atMs: number;
  readonly effects: readonly GateEffect[];
}

/** The gate after each of those moments. */
function run(moments: readonly Moment[], from: GateState = CALM): Passed[] {
  let state = from;
  let atMs = from.sampledAtMs;
  return moments.map(({ sample, gapMs }) => {
    atMs += gapMs;
    const [next, effects] = gateStep(state, sample, atMs);
    state = next;
    return { state, atMs, effects };
  });
}

function lasting(sample: Sample, ms: number): Moment[] {
  return Array.from({ length: Math.ceil(ms / SAMPLE_MS) }, () => ({ sample, gapMs: SAMPLE_MS }));
}

const levelsOf = (passed: readonly Passed[]) => passed.map(({ state }) => state.level);
const changesOf = (passed: readonly Passed[]) =>
  passed.flatMap(({ effects, atMs }) =>
    effects.flatMap((effect) => (effect.type === "level" ? [{ ...effect, atMs }] : [])),
  );

/** The highest level that the signal leads to. */
function topOf(signal: Signal): OverloadLevel {
  return RUNGS.findLast((rung) => THRESHOLDS[signal][rung]) ?? "calm";
}

/** Around all thresholds, of each signal. */
const samples: fc.Arbitrary<Sample> = fc.record({
  loopDelay: fc.double({ min: 0, max: 8, noNaN: true }),
  utilisation: fc.double({ min: 0, max: 1, noNaN: true }),
  memory: fc.double({ min: 0, max: 1.2, noNaN: true }),
  slowReaders: fc.double({ min: 0, max: 1, noNaN: true }),
  outbox: fc.double({ min: 0, max: 1.2, noNaN: true }),
});
/** Stretches of a sameness that lets things happen, and single samples among them. */
const histories = fc
  .array(
    fc.record({
      sample: samples,
      gapMs: fc.integer({ min: 1, max: 4_000 }),
      times: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 40 })),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((stretches) =>
    stretches.flatMap(({ sample, gapMs, times }): Moment[] =>
      Array.from({ length: times }, () => ({ sample, gapMs })),
    ),
  );

test("the table: each level asks for more than the one before it, and lets go below where it begins", () => {
  for (const signal of SIGNALS) {
    let before = { enter: 0, leave: 0 };
    let ended = false;
    for (const rung of RUNGS) {
      const threshold = THRESHOLDS[signal][rung];
      assert.ok(!(ended && threshold), `${signal}: no level is left out below ${rung}`);
      ended ||= threshold === undefined;
      if (!threshold) continue;
      assert.ok(threshold.leave < threshold.enter, `${signal} ${rung}`);
      assert.ok(threshold.enter > before.enter && threshold.leave > before.leave, signal);
      before = threshold;
    }
  }
});

test("each signal leads up to the top of its own, a rung at a time, and the same way back", () => {
  for (const signal of SIGNALS) {
    const top = topOf(signal);
    const bad = { ...QUIET, [signal]: signal === "utilisation" ? 1 : 1_000 };
    const rising = run(lasting(bad, 60_000));
    const reached = RUNGS.filter((rung) => reaches(top, rung));
    assert.deepEqual([...new Set(levelsOf(rising))], ["calm", ...reached], signal);
    for (const change of changesOf(rising)) assert.equal(change.signal, signal);
    const state = rising.at(-1)?.state;
    const falling = run(lasting(QUIET, 60_000), state);
    assert.deepEqual(
      [...new Set(levelsOf(falling))],
      [...reached].reverse().concat("calm" as Rung),
    );
  }
});

test("how fast: the first rung within 3 s of a steady overload, no seats within 8, back in 35", () => {
  const rising = changesOf(run(lasting(UNBEARABLE, 30_000)));
  const times = Object.fromEntries(rising.map(({ to, atMs }) => [to, atMs]));
  assert.deepEqual(times, { slow_patches: 3_000, no_rooms: 5_000, no_seats: 7_000, shed: 11_000 });
  const state = run(lasting(UNBEARABLE, 30_000)).at(-1)?.state;
  const falling = changesOf(run(lasting(QUIET, 60_000), state));
  const startMs = state?.sampledAtMs ?? 0;
  const last = falling.at(-1);
  assert.equal(last?.to, "calm");
  assert.ok((last?.atMs ?? Infinity) - startMs <= 35_000);
});

test("a pause, however long, and one that stopped the process for a minute, change nothing", () => {
  const quiet = lasting(QUIET, 10_000);
  const pause = { sample: { ...QUIET, loopDelay: 1_500 }, gapMs: 60_000 };
  const levels = levelsOf(run([...quiet, pause, ...quiet, pause, pause, ...quiet]));
  assert.deepEqual(new Set(levels), new Set(["calm"]));
});

test("never two levels in one step, never sooner than its hold, never down before it was calm for long", () => {
  fc.assert(
    fc.property(histories, (moments) => {
      let before: Passed | undefined;
      let changedAtMs = Number.NEGATIVE_INFINITY;
      for (const passed of run(moments)) {
        const { level } = passed.state;
        const was = before?.state.level ?? "calm";
        const up = heightOf(level) - heightOf(was);
        assert.ok(Math.abs(up) <= 1);
        const medians = mediansOf(passed.state);
        const waitedMs = passed.atMs - changedAtMs;
        if (up > 0) {
          const rung = level as Rung;
          const over = SIGNALS.filter(
            (s) => medians[s] >= (THRESHOLDS[s][rung]?.enter ?? Infinity),
          );
          assert.ok(over.length > 0);
          assert.ok(waitedMs >= HOLD_MS[rung]);
        }
        if (up < 0) {
          const rung = was as Rung;
          const over = SIGNALS.filter(
            (s) => medians[s] >= (THRESHOLDS[s][rung]?.leave ?? Infinity),
          );
          assert.deepEqual(over, []);
          assert.ok(waitedMs >= CALM_MS[rung]);
        }
        assert.equal(up !== 0, changesOf([passed]).length === 1, "a change is told, once");
        if (up !== 0) changedAtMs = passed.atMs;
        before = passed;
      }
    }),
  );
});

test("monotone: with more of anything at every moment the level is never lower", () => {
  fc.assert(
    fc.property(histories, fc.array(samples, { minLength: 1 }), (moments, more) => {
      const worse = moments.map(({ sample, gapMs }, index): Moment => {
        const extra = more[index % more.length] ?? QUIET;
        const added = SIGNALS.map((signal) => [signal, sample[signal] + extra[signal] / 2]);
        return { sample: Object.fromEntries(added) as Record<Signal, number>, gapMs };
      });
      const a = levelsOf(run(moments));
      const b = levelsOf(run(worse));
      for (const [index, level] of a.entries()) {
        assert.ok(reaches(b[index] ?? "calm", level), `${b[index]} after ${index}, not ${level}`);
      }
    }),
  );
});

test("noise around a threshold, within its band, moves the gate once at most", () => {
  const cases = SIGNALS.flatMap((signal) =>
    RUNGS.flatMap((rung) => {
      const threshold = THRESHOLDS[signal][rung];
      return threshold ? [{ signal, rung, threshold }] : [];
    }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...cases),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 50, maxLength: 400 }),
      ({ signal, rung, threshold }, noise) => {
        const { enter, leave } = threshold;
        // From just at `leave` up to as far above `enter`, below what leads to the next level.
        const next = THRESHOLDS[signal][RUNGS[RUNGS.indexOf(rung) + 1] ?? rung]?.enter;
        const most = Math.min(2 * enter - leave, next && next > enter ? next * 0.999 : Infinity);
        const at = (value: number) => ({ ...QUIET, [signal]: value });
        const below = RUNGS[RUNGS.indexOf(rung) - 1];
        const belowEnter = below ? (THRESHOLDS[signal][below]?.enter ?? 0) : 0;
        const settled = run(lasting(at(belowEnter), 30_000)).at(-1)?.state;
        const moments = noise.map((share): Moment => {
          return { sample: at(leave + share * (most - leave)), gapMs: SAMPLE_MS };
        });
        const changes = changesOf(run(moments, settled)).filter(({ to }) => to === rung);
        const falls = changesOf(run(moments, settled)).filter(({ from }) => from === rung);
        assert.ok(changes.length <= 1);
        assert.deepEqual(falls, []);
      },
    ),
  );
});

test("whatever came before: all is given back after a while of quiet", () => {
  fc.assert(
    fc.property(histories, (moments) => {
      const state = run(moments).at(-1)?.state;
      const calmMs = RUNGS.map((rung) => CALM_MS[rung] + 2 * SAMPLE_MS);
      const ms = MEDIAN_MS + calmMs.reduce((sum, each) => sum + each, 0);
      assert.equal(levelsOf(run(lasting(QUIET, ms), state)).at(-1), "calm");
    }),
  );
});

test("it sheds at the top only, at its pace, and only while it is as bad as what led there", () => {
  const rising = run(lasting(UNBEARABLE, 20_000));
  const sheds = rising.filter(({ effects }) => effects.some(({ type }) => type === "shed"));
  assert.ok(sheds.every(({ state }) => state.level === "shed"));
  const times = sheds.map(({ atMs }) => atMs);
  assert.deepEqual(times.slice(0, 3), [
    11_000,
    11_000 + SHED_PERIOD_MS,
    11_000 + 2 * SHED_PERIOD_MS,
  ]);
  const { enter = 0 } = THRESHOLDS.loopDelay.shed ?? {};
  const held = { ...QUIET, loopDelay: enter - 0.1 };
  const state = run(lasting(held, MEDIAN_MS), rising.at(-1)?.state).at(-1)?.state;
  const holding = run(lasting(held, 30_000), state);
  assert.deepEqual(new Set(levelsOf(holding)), new Set(["shed"]));
  assert.deepEqual(
    holding.flatMap(({ effects }) => effects),
    [],
  );
});

test("time between samples counts up to a bound", () => {
  const rare = Array.from({ length: 4 }, () => ({ sample: UNBEARABLE, gapMs: 10 * GAP_MAX_MS }));
  const [, second, third, fourth] = levelsOf(run(rare));
  assert.deepEqual([second, third, fourth], ["calm", "calm", "slow_patches"]);
});
