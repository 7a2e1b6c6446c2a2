/**
 * What k6 itself takes of the machine, and whether its figures are still the servers': a generator without time to
 * spare sends late and reads late, and calls that latency. Pure.
 */
import { z } from "zod";

/** Of one window; in processors, so 1.5 is one and a half of them. */
export const Cpu = z.object({
  k6: z.number(),
  /** Null where the servers run on other machines. */
  servers: z.number().nullable(),
  /** All that ran on this machine, as a share of all its processors, 0 to 1. */
  busy: z.number(),
});
export type Cpu = z.infer<typeof Cpu>;

export const Generator = z.object({
  /** k6's part of what k6 and servers took, 0 to 1; null where the servers run on other machines. */
  share: z.number().nullable(),
  /** Processors, on average. */
  k6: z.number(),
  servers: z.number().nullable(),
  /** Processors that k6 may use. */
  processors: z.number(),
  /** Windows in which k6 had no time to spare. */
  boundWindows: z.number().int(),
  /** Windows in which other programs took what there was of this machine. */
  crowdedWindows: z.number().int(),
  windows: z.number().int(),
  /** Arrivals that k6 did not get to. */
  dropped: z.number(),
  /** How long a frame waited for k6's script at most in a second, ms; null where no script told. */
  lagP95Ms: z.number().nullable(),
  /** Whether the figures are k6's rather than the servers'. */
  isBottleneck: z.boolean(),
  /** Whether they are neither's. */
  isCrowded: z.boolean(),
  /** In words. */
  verdict: z.string(),
});
export type Generator = z.infer<typeof Generator>;

/** Of its processors. */
const K6_FULL = 0.9;
const MACHINE_FULL = 0.95;
/** Of all processors: what neither k6 nor the servers took. */
const CROWDED_SHARE = 0.25;
/** Once in a while every machine has other things to do. */
const SHARE_MAX = 0.1;
const WINDOWS_MAX = 2;
/** Of the longest of each second: players who are so slow to react are no players any more. */
const LAG_P95_MS_MAX = 250;

export interface GeneratorMachine {
  /** Those that k6 may use. */
  readonly processors: number;
  /** All of the machine's. */
  readonly machineProcessors: number;
  readonly dropped: number;
  readonly lagP95Ms: number | undefined;
}

export function judgeGenerator(windows: readonly Cpu[], machine: GeneratorMachine): Generator {
  const { processors, dropped, lagP95Ms } = machine;
  const k6 = average(windows.map((cpu) => cpu.k6));
  const told = windows.flatMap(({ servers }) => (servers === null ? [] : [servers]));
  const servers = told.length > 0 ? average(told) : null;
  const share = servers === null || k6 + servers === 0 ? null : k6 / (k6 + servers);
  const states = windows.map((cpu) => stateOf(cpu, machine));
  const boundWindows = states.filter((state) => state === "bound").length;
  const crowdedWindows = states.filter((state) => state === "crowded").length;
  const most = Math.max(WINDOWS_MAX, windows.length * SHARE_MAX);
  const figures = {
    share: share === null ? null : hundredths(share),
    k6: hundredths(k6),
    servers: servers === null ? null : hundredths(servers),
    processors,
    boundWindows,
    crowdedWindows,
    windows: windows.length,
    dropped,
    lagP95Ms: lagP95Ms ?? null,
    isBottleneck: boundWindows > most || dropped > 0 || (lagP95Ms ?? 0) > LAG_P95_MS_MAX,
    isCrowded: crowdedWindows > most,
  };
  return { ...figures, verdict: verdictOf(figures) };
}

function stateOf(
  { k6, servers, busy }: Cpu,
  { processors, machineProcessors }: GeneratorMachine,
): "bound" | "crowded" | "spare" {
  if (k6 >= processors * K6_FULL) return "bound";
  if (busy < MACHINE_FULL) return "spare";
  const others = busy * machineProcessors - k6 - (servers ?? 0);
  if (others >= machineProcessors * CROWDED_SHARE) return "crowded";
  return k6 >= (servers ?? 0) ? "bound" : "spare";
}

function verdictOf(generator: Omit<Generator, "verdict">): string {
  const {
    share,
    k6,
    servers,
    processors,
    boundWindows,
    crowdedWindows,
    windows,
    dropped,
    lagP95Ms,
  } = generator;
  if (windows === 0) return "not measured: this system does not tell what processes take";
  const took =
    share === null
      ? `k6 took ${k6} of ${processors} processors; the servers run elsewhere`
      : `k6 took ${Math.round(share * 100)}% of what k6 and the servers took (${k6} and ${servers} processors)`;
  const why = [
    ...(boundWindows > 0 ? [`without time to spare in ${boundWindows} of ${windows} windows`] : []),
    ...(dropped > 0 ? [`${dropped} arrivals late`] : []),
    ...((lagP95Ms ?? 0) > LAG_P95_MS_MAX ? [`frames waited ${lagP95Ms} ms for it, p95`] : []),
  ];
  return [
    ...(generator.isBottleneck
      ? [`k6 is the bottleneck (${why.join(", ")}): the figures are the generator's.`]
      : []),
    ...(generator.isCrowded
      ? [
          `Other programs filled this machine in ${crowdedWindows} of ${windows} windows: the figures are worth little.`,
        ]
      : []),
    took,
  ].join(" ");
}

function average(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
