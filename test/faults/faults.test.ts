/** One fault of each kind in a small world; `npm run faults` goes through any number of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RegionId } from "../../shared/ids.ts";
import { worldForTests } from "../world.ts";
import { runCampaign } from "./campaign.ts";
import { CORE_AWAY_MS_MAX, FAULT_KINDS, type Fault, planFaults, STOPPED_MS_MAX } from "./fault.ts";
import { Violation, waitUntil } from "./invariant.ts";
import { parseFaultsOptions } from "./options.ts";

const world = worldForTests({ regions: 2 });
const seed = Number(process.env.TEST_SEED ?? 1);

/** Everybody who runs the tests waits for this one. */
function shortened(fault: Fault): Fault {
  if (fault.kind === "kill-core") return { ...fault, awayMs: fault.awayMs / 4 };
  return fault.kind === "stop-region" ? { ...fault, stoppedMs: fault.stoppedMs / 2 } : fault;
}

test("every invariant holds over one fault of each kind", async (t) => {
  const regionIds = [...world().regions.keys()];
  const faults = planFaults({ seed, count: FAULT_KINDS.length, regionIds }).map(shortened);
  const outcomes = await runCampaign({
    world: world(),
    faults,
    playersPerRegion: 2,
    seed,
    say: (line) => t.diagnostic(line),
  });
  assert.deepEqual(
    new Set(outcomes.map(({ fault }) => fault.kind)),
    new Set(FAULT_KINDS),
    "each kind came",
  );
  for (const { fault, hit } of outcomes) assert.ok(hit > 0, `${fault.kind} concerned nobody`);
});

test("a seed gives the same faults again, of every kind and within their bounds", () => {
  const regionIds = ["a", "b", "c"].map((id) => RegionId.parse(id));
  const faults = planFaults({ seed, count: 500, regionIds });
  assert.deepEqual(planFaults({ seed, count: 500, regionIds }), faults);
  assert.notDeepEqual(planFaults({ seed: seed + 1, count: 500, regionIds }), faults);
  assert.deepEqual(planFaults({ seed, count: 7, regionIds }), faults.slice(0, 7));
  for (const kind of FAULT_KINDS) {
    const count = faults.filter((fault) => fault.kind === kind).length;
    assert.equal(count, 500 / FAULT_KINDS.length, kind);
  }
  for (const fault of faults) {
    if ("awayMs" in fault) assert.ok(fault.awayMs < CORE_AWAY_MS_MAX);
    if ("stoppedMs" in fault) assert.ok(fault.stoppedMs < STOPPED_MS_MAX);
    if ("regionId" in fault) assert.ok(regionIds.includes(fault.regionId));
  }
});

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
  });
  const args = "--kills 1000 --regions 5 --seed 7 --help".split(" ");
  assert.deepEqual(parseFaultsOptions(args), { help: true, kills: 1_000, regions: 5, seed: 7 });
  const mistakes: [string, RegExp][] = [
    ["--kills 0", /--kills 0 is not a whole number from 1 to 100000/],
    ["--regions 1", /--regions 1 is not a whole number from 2 to 5/],
    ["--seed x", /--seed x is not a whole number/],
  ];
  for (const [words, message] of mistakes) {
    assert.throws(() => parseFaultsOptions(words.split(" ")), message, words);
  }
});
