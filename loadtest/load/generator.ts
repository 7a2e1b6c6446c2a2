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
  windows: z.number().int(),
  /** Arrivals that k6 did not get to. */
  dropped: z.number(),
  /** Whether the figures are k6's rather than the servers'. */
  isBottleneck: z.boolean(),
  /** In words. */
  verdict: z.string(),
});
export type Generator = z.infer<typeof Generator>;

/** Of its processors. */
const K6_FULL = 0.9;
const MACHINE_FULL = 0.95;
/** Once in a while every machine has other things to do. */
const BOUND_SHARE_MAX = 0.1;
const BOUND_WINDOWS_MAX = 2;

export function judgeGenerator(
  windows: readonly Cpu[],
  { processors, dropped }: { readonly processors: number; readonly dropped: number },
): Generator {
  const k6 = average(windows.map((cpu) => cpu.k6));
  const told = windows.flatMap(({ servers }) => (servers === null ? [] : [servers]));
  const servers = told.length > 0 ? average(told) : null;
  const share = servers === null || k6 + servers === 0 ? null : k6 / (k6 + servers);
  const boundWindows = windows.filter((cpu) => isBound(cpu, processors)).length;
  const boundMax = Math.max(BOUND_WINDOWS_MAX, windows.length * BOUND_SHARE_MAX);
  const isBottleneck = boundWindows > boundMax || dropped > 0;
  const figures = {
    share: share === null ? null : hundredths(share),
    k6: hundredths(k6),
    servers: servers === null ? null : hundredths(servers),
    processors,
    boundWindows,
    windows: windows.length,
    dropped,
    isBottleneck,
  };
  return { ...figures, verdict: verdictOf(figures) };
}

function isBound({ k6, servers, busy }: Cpu, processors: number): boolean {
  if (k6 >= processors * K6_FULL) return true;
  return busy >= MACHINE_FULL && k6 >= (servers ?? 0);
}

function verdictOf(generator: Omit<Generator, "verdict">): string {
  const { share, k6, servers, processors, boundWindows, windows, dropped } = generator;
  if (windows === 0) return "not measured: this system does not tell what processes take";
  const took =
    share === null
      ? `k6 took ${k6} of ${processors} processors; the servers run elsewhere`
      : `k6 took ${Math.round(share * 100)}% of what k6 and the servers took (${k6} and ${servers} processors)`;
  if (!generator.isBottleneck) return took;
  const why = [
    ...(boundWindows > 0 ? [`without time to spare in ${boundWindows} of ${windows} windows`] : []),
    ...(dropped > 0 ? [`${dropped} arrivals late`] : []),
  ];
  return `k6 is the bottleneck (${why.join(", ")}): the figures are the generator's. ${took}`;
}

function average(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
