/** `--all`: every benchmark, one after the other, never two at once: they would measure each other. */
import { runApart } from "./apart.ts";
import type { Benchmark } from "./benchmark.ts";
import { interruption } from "./interruption.ts";

type Figures = Readonly<Record<string, unknown>>;

export interface AllOptions {
  readonly benchmarks: readonly Pick<Benchmark, "name" | "description">[];
  readonly quick: boolean;
  readonly say: (line: string) => void;
  /** Takes what one of them found as soon as it has. */
  readonly keep: (name: string, figures: Figures, tookS: number) => void;
  /** Ctrl-C by default. */
  readonly signal?: AbortSignal;
  /** In a process of its own by default. */
  readonly run?: typeof runApart;
}

export interface AllRuns {
  /** By benchmark. */
  readonly figures: Readonly<Record<string, Figures>>;
  readonly failed: readonly string[];
}

/** One that fails does not keep the others from running. @throws when it is called off */
export async function runAll(options: AllOptions): Promise<AllRuns> {
  const { benchmarks, quick, say, keep, signal = interruption(), run = runApart } = options;
  const beganMs = performance.now();
  const figures: Record<string, Figures> = {};
  const failures: string[] = [];
  const failed: string[] = [];
  for (const [index, { name, description }] of benchmarks.entries()) {
    signal.throwIfAborted();
    const startedMs = performance.now();
    const mark = () =>
      `[${index + 1}/${benchmarks.length} ${minutes(performance.now() - beganMs)}]`;
    say(`${mark()} ${name}: ${description}`);
    try {
      const found = await run({ name, quick, say: (line) => say(`${mark()} ${line}`), signal });
      figures[name] = found;
      keep(name, found, (performance.now() - startedMs) / 1_000);
    } catch (error) {
      signal.throwIfAborted();
      const why = error instanceof Error ? error.message : String(error);
      say(`${mark()} ✗ ${name}: ${why}`);
      failed.push(name);
      failures.push(`✗ ${name}: ${why}`);
    }
  }
  say(
    `${benchmarks.length - failed.length} of ${benchmarks.length} benchmarks in ` +
      `${minutes(performance.now() - beganMs)}`,
  );
  for (const failure of failures) say(failure);
  return { figures, failed };
}

function minutes(ms: number): string {
  const s = Math.floor(ms / 1_000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}
