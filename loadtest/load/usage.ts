/** The texts of `npm run load -- --help`. Pure. */
import { SCENARIOS, type Scenario } from "../k6/scenarios.ts";
import { CAPACITY_SETTINGS } from "./capacity/capacity-options.ts";
import { CAPACITY } from "./options.ts";

const EXIT_CODES =
  "Exit code: 0 all held, 1 a threshold or check did not, 2 a wrong option, 3 it could not run, 130 Ctrl-C.";

const COMMON = `  --core URL        a core that runs already; without it a local world is started, and stopped at the end
  --ops URL         its private port, for the regions' loads and for drills (MERIDIAN_OPS_URL), with
                    MERIDIAN_OPERATOR_TOKEN or MERIDIAN_OPERATOR_TOKEN_FILE
  --regions N       of the local world
  --wan             the local world's links are as slow as the distances
  --region ID       all players insist on that region
  --players N       --duration S       --seed N
  --set KEY=VALUE   any other parameter of the scenario; may be repeated
  --out DIR         where everything is written (.meridian/load/TIME-SCENARIO)
  --json            ends with one line: the summary without its windows
  --help            this text; with a scenario, its parameters`;

export function usageText(): string {
  const width = Math.max(...SCENARIOS.map(({ name }) => name.length)) + 2;
  const lines = SCENARIOS.map(({ name, what }) => `  ${name.padEnd(width)}${what}`);
  return `Usage: npm run load -- SCENARIO [options]
       npm run load -- ${CAPACITY} --region ID [options]

Loads a Meridian with k6, and writes summary.json and report.html.

Scenarios:
${lines.join("\n")}
  ${CAPACITY.padEnd(width)}How many players a node takes until a service level breaks; stored at the core.

Options:
${COMMON}

${EXIT_CODES}`;
}

export function scenarioUsage({ name, what, parameters, needs }: Scenario): string {
  const lines = parameters
    .filter(({ env }) => env !== "CORE_URL")
    .map(({ env, preset, what }) => `  ${`${env}=${preset}`.padEnd(34)}${what}`);
  const own = [
    ...(needs.includes("kill")
      ? [
          "  --how HOW         kill (SIGKILL, local world only), failover or evacuate; kill where it can, else failover",
        ]
      : []),
    ...(needs.includes("replace")
      ? ["  --upgrade-command CMD  replaces the nodes of a deployment; needed with --core"]
      : []),
  ];
  return `Usage: npm run load -- ${name} [options]

${what}

Parameters, for --set:
${lines.join("\n")}

Options:
${[...own, COMMON].join("\n")}

${EXIT_CODES}`;
}

export function capacityUsage(): string {
  const lines = Object.entries(CAPACITY_SETTINGS).map(
    ([name, { preset, what }]) => `  ${`--${name} ${preset}`.padEnd(26)}${what}`,
  );
  return `Usage: npm run load -- ${CAPACITY} --region ID [options]

Steps the load of one region up by steady-play until a service level breaks, halves what lies between, tries the limit
again, takes the lowest, and stores it at the core, which admits players by it.

Options:
${lines.join("\n")}
  --dry-run                 stores nothing
${COMMON}

${EXIT_CODES}`;
}
