import assert from "node:assert/strict";
import { test } from "node:test";
import { SCENARIOS } from "../k6/scenarios.ts";
import { parametersOf, parseLoadOptions } from "./options.ts";
import { capacityUsage, scenarioUsage, usageText } from "./usage.ts";
import { UsageError } from "./usage-error.ts";

function parse(line: string) {
  return parseLoadOptions(line.split(" ").filter((word) => word !== ""));
}

function runOf(line: string) {
  const { asked } = parse(line);
  assert.ok(asked);
  return asked.run;
}

test("a scenario alone: a local world, and the scenario's presets", () => {
  const run = runOf("steady-play");
  assert.equal(run.coreUrl, undefined);
  assert.equal(run.scenario.name, "steady-play");
  for (const { env, preset } of run.scenario.parameters) {
    assert.equal(parametersOf(run)[env], preset);
  }
});

test("options are parameters by other names; --set gives any of them", () => {
  const run = runOf("join --players 7 --duration 9 --seed 3 --region beijing --set STAY_S=2");
  const { PLAYERS, DURATION_S, SEED, REGION, STAY_S, RATE } = parametersOf(run);
  assert.deepEqual(
    { PLAYERS, DURATION_S, SEED, REGION, STAY_S, RATE },
    { PLAYERS: "7", DURATION_S: "9", SEED: "3", REGION: "beijing", STAY_S: "2", RATE: "10" },
  );
});

test("capacity has a region, a plan and a service level", () => {
  const { asked } = parse("capacity --region beijing --first 5 --echo-p99-ms 100 --dry-run");
  assert.equal(asked?.kind, "capacity");
  if (asked?.kind !== "capacity") return;
  const { region, plan, level, dryRun } = asked.capacity;
  assert.deepEqual(
    { region, dryRun, echo: level.echoP99Ms, first: plan.first, repeats: plan.repeats },
    { region: "beijing", dryRun: true, echo: 100, first: 5, repeats: 3 },
  );
});

for (const [line, says] of [
  ["", /^name a scenario/],
  ["storm", /^there is no scenario storm: smoke, .*capacity$/],
  ["smoke join", /^one scenario at a time: what is join/],
  ["smoke --players many", /^--players many is not a whole number from 0 to 100000$/],
  ["smoke --set RATE=5", /^--set RATE: smoke has CORE_URL, PLAYERS/],
  ["smoke --set rate", /^--set rate is not KEY=VALUE$/],
  ["smoke --set CORE_URL=http://a", /say --core URL$/],
  ["smoke --core here", /^--core here is not a URL/],
  ["smoke --core http://a --wan", /^--wan is for a local world/],
  ["smoke --ops http://a", /^--ops needs --core$/],
  ["smoke --how kill", /^--how is for failover-drill$/],
  ["failover-drill --how axe", /^--how axe is not one of kill, failover, evacuate$/],
  ["failover-drill --how kill --core http://a", /^--how kill is for a local world/],
  ["smoke --dry-run", /^--dry-run is for capacity$/],
  ["capacity", /^capacity needs --region/],
  ["capacity --region a --repeats 2", /^--repeats 2 is not a whole number from 3 to 20$/],
  ["capacity --region a --first 50 --most 20", /^--most is below --first$/],
  ["capacity --region a --players 5", /^--players is for scenarios: capacity has --first/],
  ["smoke --frobnicate", /^Unknown option '--frobnicate'$/],
] as const) {
  test(`"${line}" is refused in one line`, () => {
    assert.throws(
      () => parse(line),
      (error: unknown) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, says);
        assert.ok(!error.message.includes("\n"));
        return true;
      },
    );
  });
}

test("--help names every scenario, and each scenario's names its parameters", () => {
  assert.ok(parse("--help").help);
  assert.ok(parse("smoke --help").help);
  assert.ok(parse("capacity --help").help);
  for (const scenario of SCENARIOS) {
    assert.ok(usageText().includes(`  ${scenario.name} `));
    for (const { env } of scenario.parameters) {
      assert.ok(env === "CORE_URL" || scenarioUsage(scenario).includes(`  ${env}=`), env);
    }
  }
  assert.match(capacityUsage(), /--dry-run/);
});
