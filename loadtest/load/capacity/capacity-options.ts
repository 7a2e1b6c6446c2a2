/** How capacity is searched, and which service level a load has to keep. */
import { numberOf, type Range, UsageError } from "../usage-error.ts";
import type { CapacityPlan } from "./capacity-step.ts";
import type { ServiceLevel } from "./service-level.ts";

export interface CapacityOptions {
  readonly region: string;
  readonly plan: CapacityPlan;
  readonly level: ServiceLevel;
  /** How long everybody plays in a step, s. */
  readonly stepS: number;
  /** Stores nothing at the core. */
  readonly dryRun: boolean;
}

/** As the command line has them. */
export interface CapacityTexts {
  readonly region?: string | undefined;
  readonly first?: string | undefined;
  readonly most?: string | undefined;
  readonly repeats?: string | undefined;
  readonly resolution?: string | undefined;
  readonly "step-seconds"?: string | undefined;
  readonly "echo-p99-ms"?: string | undefined;
  readonly "tick-p99-ms"?: string | undefined;
  readonly "join-p99-ms"?: string | undefined;
  readonly "failures-percent"?: string | undefined;
  readonly "dry-run"?: boolean;
}

type Key = Exclude<keyof CapacityTexts, "region" | "dry-run">;

interface Setting extends Range {
  readonly preset: number;
  readonly what: string;
}

/** A break that comes by itself once in a while must not pass for the limit, nor for none. */
const REPEATS_MIN = 3;
const MS: Range = { min: 1, max: 60_000 };

export const CAPACITY_SETTINGS: Readonly<Record<Key, Setting>> = {
  first: { preset: 20, min: 1, max: 10_000, whole: true, what: "players of the first step" },
  most: { preset: 10_000, min: 1, max: 100_000, whole: true, what: "players at most" },
  repeats: {
    preset: REPEATS_MIN,
    min: REPEATS_MIN,
    max: 20,
    whole: true,
    what: "how often the limit has to hold",
  },
  resolution: { preset: 10, min: 1, max: 50, what: "per cent that the limit is told to" },
  "step-seconds": { preset: 20, min: 2, max: 3_600, what: "how long everybody plays in a step" },
  "echo-p99-ms": {
    ...MS,
    preset: 250,
    what: "an input is seen in the state within, 99 of 100 times",
  },
  "tick-p99-ms": { ...MS, preset: 50, what: "a tick begins so late at most, 99 of 100 times" },
  "join-p99-ms": { ...MS, preset: 2_000, what: "a join takes at most, 99 of 100 times" },
  "failures-percent": { preset: 0.1, min: 0, max: 100, what: "of all joins and players" },
};

/** @throws UsageError */
export function capacityOptions(texts: CapacityTexts): CapacityOptions {
  const { region } = texts;
  if (region === undefined) throw new UsageError("capacity needs --region: whose limit is it?");
  const value = (key: Key) => {
    const { preset, ...range } = CAPACITY_SETTINGS[key];
    return numberOf(`--${key}`, texts[key] ?? String(preset), range);
  };
  const plan: CapacityPlan = {
    first: value("first"),
    most: value("most"),
    repeats: value("repeats"),
    resolution: value("resolution") / 100,
  };
  if (plan.most < plan.first) throw new UsageError("--most is below --first");
  return {
    region,
    plan,
    stepS: value("step-seconds"),
    level: {
      echoP99Ms: value("echo-p99-ms"),
      tickP99Ms: value("tick-p99-ms"),
      joinP99Ms: value("join-p99-ms"),
      failuresShare: value("failures-percent") / 100,
    },
    dryRun: texts["dry-run"] ?? false,
  };
}
