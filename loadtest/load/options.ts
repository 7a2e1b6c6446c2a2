/** What `npm run load` understands. */
import { parseArgs } from "node:util";
import { REGIONS_MAX } from "../../infra/local/options.ts";
import { SCENARIOS, type Scenario, scenarioNamed } from "../k6/scenarios.ts";
import { type CapacityOptions, capacityOptions } from "./capacity/capacity-options.ts";
import { numberOf, type Range, UsageError } from "./usage-error.ts";

/** How a region is taken from its players in a failover drill. */
export const STRIKES = ["kill", "failover", "evacuate"] as const;
export type Strike = (typeof STRIKES)[number];

export interface LoadOptions {
  /** Undefined when all that was asked for is help in general. */
  readonly asked: AskedFor | undefined;
  readonly help: boolean;
}

export type AskedFor =
  | { readonly kind: "scenario"; readonly run: RunOptions }
  | { readonly kind: "capacity"; readonly run: RunOptions; readonly capacity: CapacityOptions };

/** What one run of a scenario takes. */
export interface RunOptions {
  readonly scenario: Scenario;
  /** Given by hand, by the name that the script reads; presets fill in the rest. */
  readonly given: Readonly<Record<string, string>>;
  /** Undefined: a local world is started. */
  readonly coreUrl: string | undefined;
  /** The core's private port, when the core is one that runs already. */
  readonly opsUrl: string | undefined;
  readonly regions: number;
  readonly wan: boolean;
  /** Undefined: the strongest that the target allows. */
  readonly strike: Strike | undefined;
  /** Replaces the nodes of a deployment that this machine does not run. */
  readonly upgradeCommand: string | undefined;
  /** Undefined: a folder of its own below `.meridian/load`. */
  readonly out: string | undefined;
  readonly json: boolean;
}

export const CAPACITY = "capacity";
/** What capacity is searched with. */
const CAPACITY_SCENARIO = "steady-play";
const REGIONS_DEFAULT = 2;
const PLAYERS: Range = { min: 0, max: 100_000, whole: true };
const DURATION_S: Range = { min: 1, max: 604_800, whole: true };
const SEED: Range = { min: 0, max: 2 ** 32 - 1, whole: true };

/** @throws UsageError, one clear line about the first wrong option */
export function parseLoadOptions(args: readonly string[]): LoadOptions {
  const { values, positionals } = parsed(args);
  const [name, tooMuch] = positionals;
  const { help } = values;
  if (name === undefined) {
    if (help) return { help, asked: undefined };
    throw new UsageError("name a scenario, or capacity");
  }
  if (tooMuch !== undefined) throw new UsageError(`one scenario at a time: what is ${tooMuch}?`);
  const isCapacity = name === CAPACITY;
  const scenario = scenarioNamed(isCapacity ? CAPACITY_SCENARIO : name);
  if (!scenario) {
    const names = SCENARIOS.map((one) => one.name).join(", ");
    throw new UsageError(`there is no scenario ${name}: ${names}, or ${CAPACITY}`);
  }
  const { core: coreUrl, ops: opsUrl } = values;
  if (coreUrl !== undefined) {
    for (const option of ["regions", "wan"] as const) {
      if (values[option] !== undefined) {
        throw new UsageError(`--${option} is for a local world, and --core names one that runs`);
      }
    }
  } else if (opsUrl !== undefined) throw new UsageError("--ops needs --core");
  const run: RunOptions = {
    scenario,
    given: givenParameters(values, scenario),
    coreUrl: coreUrl === undefined ? undefined : urlOf("--core", coreUrl),
    opsUrl: opsUrl === undefined ? undefined : urlOf("--ops", opsUrl),
    regions: numberOf("--regions", values.regions ?? String(regionsDefault(scenario)), {
      min: 1,
      max: REGIONS_MAX,
      whole: true,
    }),
    wan: values.wan ?? false,
    strike: strikeOf(values.how, scenario, coreUrl),
    upgradeCommand: values["upgrade-command"],
    out: values.out,
    json: values.json,
  };
  if (!isCapacity) {
    if (values["dry-run"]) throw new UsageError("--dry-run is for capacity");
    return { help, asked: { kind: "scenario", run } };
  }
  for (const option of ["players", "duration"] as const) {
    if (values[option] !== undefined) {
      throw new UsageError(`--${option} is for scenarios: capacity has --first, --step-seconds`);
    }
  }
  const capacity = help ? capacityOptions({ region: "-" }) : capacityOptions(values);
  return { help, asked: { kind: "capacity", run, capacity } };
}

/** All that the script is told: what was given, and the presets. */
export function parametersOf({ scenario, given }: Pick<RunOptions, "scenario" | "given">) {
  const presets = scenario.parameters.map(({ env, preset }) => [env, preset] as const);
  return { ...Object.fromEntries(presets), ...given };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        core: { type: "string" },
        ops: { type: "string" },
        regions: { type: "string" },
        wan: { type: "boolean" },
        players: { type: "string" },
        duration: { type: "string" },
        seed: { type: "string" },
        region: { type: "string" },
        set: { type: "string", multiple: true, default: [] },
        how: { type: "string" },
        "upgrade-command": { type: "string" },
        out: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        "dry-run": { type: "boolean", default: false },
        first: { type: "string" },
        most: { type: "string" },
        repeats: { type: "string" },
        "step-seconds": { type: "string" },
        resolution: { type: "string" },
        "echo-p99-ms": { type: "string" },
        "tick-p99-ms": { type: "string" },
        "join-p99-ms": { type: "string" },
        "failures-percent": { type: "string" },
      },
    });
  } catch (error) {
    // What parseArgs says ends with advice on files that are called like options.
    const [line = ""] = error instanceof Error ? error.message.split(". To specify") : [];
    throw new UsageError(line);
  }
}

type Values = ReturnType<typeof parsed>["values"];

function givenParameters(values: Values, scenario: Scenario): Record<string, string> {
  const given: Record<string, string> = {};
  const own = new Set(scenario.parameters.map(({ env }) => env));
  for (const pair of values.set) {
    const [, key, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/s.exec(pair) ?? [];
    if (key === undefined || value === undefined) {
      throw new UsageError(`--set ${pair} is not KEY=VALUE`);
    }
    if (!own.has(key)) {
      throw new UsageError(`--set ${key}: ${scenario.name} has ${[...own].join(", ")}`);
    }
    if (key === "CORE_URL") throw new UsageError("--set CORE_URL: say --core URL");
    given[key] = value;
  }
  const short = { players: PLAYERS, duration: DURATION_S, seed: SEED };
  const names = { players: "PLAYERS", duration: "DURATION_S", seed: "SEED" };
  for (const option of ["players", "duration", "seed"] as const) {
    const text = values[option];
    if (text === undefined) continue;
    given[names[option]] = String(numberOf(`--${option}`, text, short[option]));
  }
  if (values.region !== undefined) given.REGION = values.region;
  return given;
}

function strikeOf(
  how: string | undefined,
  scenario: Scenario,
  coreUrl: string | undefined,
): Strike | undefined {
  if (how === undefined) return undefined;
  if (!scenario.needs.includes("kill")) throw new UsageError("--how is for failover-drill");
  const strike = STRIKES.find((name) => name === how);
  if (!strike) throw new UsageError(`--how ${how} is not one of ${STRIKES.join(", ")}`);
  if (strike === "kill" && coreUrl !== undefined) {
    throw new UsageError("--how kill is for a local world: say failover or evacuate");
  }
  return strike;
}

/** Seats are counted exactly where there is one region; a drill needs somewhere to go, a look-up a choice. */
function regionsDefault({ needs }: Scenario): number {
  if (needs.includes("small-capacity")) return 1;
  return needs.includes("name-server") ? 3 : REGIONS_DEFAULT;
}

function urlOf(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text.replace(/\/+$/, "");
  throw new UsageError(`${name} ${text} is not a URL such as http://127.0.0.1:7300`);
}
