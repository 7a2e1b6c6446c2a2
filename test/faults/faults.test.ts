/** A fault of each kind in a small world; the soak and `npm run faults` go through more of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases } from "../../shared/chance.testkit.ts";
import { RegionId } from "../../shared/ids.ts";
import { worldForTests } from "../world.ts";
import { runCampaign, WORLD_OPTIONS } from "./campaign.ts";
import { FAULT_KINDS, type Fault, lastsMsMax, planFaults, wavesOf } from "./fault.ts";
import { Violation, waitUntil } from "./invariant.ts";
import { parseFaultsOptions } from "./options.ts";

/** Of which each kind is one in so many as there are kinds. */
const FAULTS = cases(FAULT_KINDS.length, 200);
const OPS_MIN = 500;
const NOTES_MIN = 500;
const world = worldForTests({ ...WORLD_OPTIONS, regions: 2 });
const seed = Number(process.env.TEST_SEED ?? 1);

/** Everybody who runs the tests waits for this one. */
function shortened(fault: Fault): Fault {
  return { ...fault, lastsMs: fault.lastsMs / (fault.kind === "stop-region" ? 2 : 4) };
}

test("every invariant holds over faults of each kind, and nothing of value is lost", async () => {
  const regionIds = [...world().regions.keys()];
  const faults = planFaults({ seed, count: FAULTS, regionIds }).map(shortened);
  const { outcomes, audit, diaries } = await runCampaign({
    world: world(),
    faults,
    playersPerRegion: 2,
    tradersPerRegion: 3,
    seed,
    // At once, so that one sees how far it came where it does not end.
    say: (line) => console.log(line),
  });
  const kinds = new Set(outcomes.map(({ fault }) => fault.kind));
  assert.deepEqual(kinds, new Set(FAULT_KINDS), "each kind came");
  assert.ok(audit.promised >= OPS_MIN, `only ${audit.promised} operations`);
  assert.ok(diaries.notes >= NOTES_MIN, `only ${diaries.notes} notes`);
});

test("a seed gives the same faults again, of every kind and within their bounds", () => {
  const regionIds = ["a", "b", "c"].map((id) => RegionId.parse(id));
  const count = 100 * FAULT_KINDS.length;
  const faults = planFaults({ seed, count, regionIds });
  assert.deepEqual(planFaults({ seed, count, regionIds }), faults);
  assert.notDeepEqual(planFaults({ seed: seed + 1, count, regionIds }), faults);
  assert.deepEqual(planFaults({ seed, count: 7, regionIds }), faults.slice(0, 7));
  for (const kind of FAULT_KINDS) {
    assert.equal(faults.filter((fault) => fault.kind === kind).length, 100, kind);
  }
  for (const fault of faults) {
    assert.ok(fault.lastsMs <= lastsMsMax(fault.kind));
    if ("regionId" in fault) assert.ok(regionIds.includes(fault.regionId));
  }
});

test("waves keep the order, and strike nothing that the first one's recovery needs", () => {
  const regionIds = ["a", "b"].map((id) => RegionId.parse(id));
  const faults = planFaults({ seed, count: 100 * FAULT_KINDS.length, regionIds });
  const waves = wavesOf(faults);
  assert.deepEqual(waves.flat(), faults);
  const texts = waves.map((wave) => wave.map(describe).join(" "));
  const nodeAndRedis = /^kill-region:(.) (.* )?(kill|stop)-redis:\1/;
  for (const kinds of [/^drain-region:a .*link:b/, /^kill-core kill-redis/, nodeAndRedis]) {
    assert.ok(
      texts.some((text) => kinds.test(text)),
      `${kinds} never came`,
    );
  }
  const wrong = [
    /^(stop|kill)-(redis|core|postgres)\S* .*(core|postgres)/,
    / \S+-region/,
    / kill-core/,
  ];
  for (const text of texts) {
    for (const never of wrong) assert.doesNotMatch(text, never);
    assert.doesNotMatch(text, /^(drain|stop|replace)-region:(.) .*:\2/);
  }
});

function describe(fault: Fault): string {
  return "regionId" in fault ? `${fault.kind}:${fault.regionId}` : fault.kind;
}

test("what never comes right, or not for long enough, is a violation that says what is wrong", async () => {
  const never = { invariant: "told", wrong: () => "Ada is asleep", withinMs: 1 } as const;
  await assert.rejects(waitUntil(never), (error: unknown) => {
    assert.ok(error instanceof Violation);
    assert.equal(error.invariant, "told");
    assert.match(error.message, /^told \(whoever lost their region was told so\): Ada is asleep/);
    return true;
  });
  let looks = 0;
  const wavering = () => (++looks % 2 === 0 ? undefined : "one too many");
  const condition = {
    invariant: "one-session",
    wrong: wavering,
    withinMs: 100,
    forMs: 40,
  } as const;
  await assert.rejects(waitUntil(condition), Violation);
});

test("the options are understood, and each mistake gets one clear line", () => {
  assert.deepEqual(parseFaultsOptions([]), {
    help: false,
    kills: 10,
    regions: 3,
    seed: undefined,
    players: undefined,
    wan: false,
    json: false,
    disasters: false,
  });
  const args = "--kills 1000 --regions 5 --seed 7 --players 500 --wan --json --help".split(" ");
  assert.deepEqual(parseFaultsOptions(args), {
    help: true,
    kills: 1_000,
    regions: 5,
    seed: 7,
    players: 500,
    wan: true,
    json: true,
    disasters: false,
  });
  assert.equal(parseFaultsOptions(["--disasters"]).disasters, true);
  const mistakes: [string, RegExp][] = [
    ["--kills 0", /--kills 0 is not a whole number from 1 to 100000/],
    ["--regions 1", /--regions 1 is not a whole number from 2 to 5/],
    ["--players 0", /--players 0 is not a whole number from 1 to 2000/],
    ["--wan", /--wan and --json need --players/],
    ["--disasters --players 9", /--disasters goes without --players/],
    ["--seed x", /--seed x is not a whole number/],
  ];
  for (const [words, message] of mistakes) {
    assert.throws(() => parseFaultsOptions(words.split(" ")), message, words);
  }
});
