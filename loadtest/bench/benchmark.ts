/** What a benchmark is, and the measuring that all of them share. */

export interface BenchmarkOptions {
  /** Whether to end within 60 s. */
  readonly quick: boolean;
  /** Shows progress and results to a person. */
  readonly say: (line: string) => void;
  /** Which of several the benchmark is to be run against, for those that let one choose. */
  readonly target?: string;
}

/** What a figure should be. With both bounds it should lie between them. */
export interface Goal {
  /** Where the figure is in what the benchmark returns: names with dots between them. */
  readonly figure: string;
  /** What the figure is, for somebody who has not read the benchmark. */
  readonly words: string;
  /** Of the figure and its bounds, as it is written after them. */
  readonly unit?: "ms" | "s" | "%" | "KB" | "MB";
  readonly atLeast?: number;
  readonly atMost?: number;
  /** A quick run is too small to say anything about it. */
  readonly fullOnly?: boolean;
}

export interface Benchmark {
  readonly name: string;
  /** One line: what is measured against what. */
  readonly description: string;
  readonly goals?: readonly Goal[];
  run(options: BenchmarkOptions): Promise<Readonly<Record<string, unknown>>>;
}

export interface Contender {
  readonly name: string;
  /** Does the work once. */
  readonly once: () => void;
}

/**
 * Times contenders in turn, round by round, so that a wobble of the machine meets all of them.
 *
 * @returns the median over the rounds of the CPU time of one call, in µs, by name
 */
export function alternate(
  contenders: readonly Contender[],
  rounds: number,
  roundMs: number,
): Map<string, number> {
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  const callsPerRound = new Map(
    contenders.map((contender) => [contender.name, calibrate(contender, roundMs)]),
  );
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, once } of contenders) {
      const calls = callsPerRound.get(name) ?? 1;
      const before = process.cpuUsage();
      for (let call = 0; call < calls; call += 1) once();
      const spent = process.cpuUsage(before);
      samples.get(name)?.push((spent.user + spent.system) / calls);
    }
  }
  return new Map([...samples].map(([name, values]) => [name, median(values)]));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The value that so many per cent of the values don't exceed, by nearest rank; NaN of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}

/** Two decimals are as much as these figures are worth. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** How many calls fill a round; the calls made to find out warm the contender up. */
function calibrate(contender: Contender, roundMs: number): number {
  const startedMs = performance.now();
  let calls = 0;
  while (performance.now() - startedMs < roundMs) {
    contender.once();
    calls += 1;
  }
  return Math.max(1, calls);
}
