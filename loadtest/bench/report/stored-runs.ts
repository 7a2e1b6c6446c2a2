/** The last run of each benchmark that was made with `--report`: `docs/benchmarks.json`. */
import { readFileSync } from "node:fs";
import { z } from "zod";

const Machine = z.strictObject({
  cpu: z.string(),
  cores: z.int().positive(),
  memoryGib: z.int().positive(),
  kernel: z.string(),
  node: z.string(),
});
export type Machine = z.infer<typeof Machine>;

export const StoredRun = z.strictObject({
  /** Of its end, in UTC. */
  date: z.iso.date(),
  /** That was checked out, abbreviated. */
  commit: z.string(),
  /** To tracked or new files, the page and its data left out. */
  withChanges: z.boolean(),
  machine: Machine,
  quick: z.boolean(),
  tookS: z.number().nonnegative(),
  /** What the benchmark returned; figures that are not numbers in JSON are null. */
  figures: z.record(z.string(), z.json()),
});
export type StoredRun = z.infer<typeof StoredRun>;

/** By the benchmark's name. */
export const StoredRuns = z.record(z.string(), StoredRun);
export type StoredRuns = Readonly<Record<string, StoredRun>>;

/** @throws when the file holds anything else */
export function readStoredRuns(path: string): StoredRuns {
  return StoredRuns.parse(JSON.parse(readFileSync(path, "utf8")));
}

/** As a benchmark gives it. */
export interface NewRun extends Omit<StoredRun, "figures"> {
  readonly figures: Readonly<Record<string, unknown>>;
}

export interface Addition {
  readonly name: string;
  readonly run: NewRun;
  /** Of all benchmarks there are, in the order in which their runs are stored; runs of others are dropped. */
  readonly names: readonly string[];
}

export function withRun(runs: StoredRuns, { name, run, names }: Addition): StoredRuns {
  // As it will be read again: what is no number in JSON is null.
  const added: StoredRuns = { ...runs, [name]: StoredRun.parse(JSON.parse(JSON.stringify(run))) };
  return StoredRuns.parse(
    Object.fromEntries(names.filter((one) => added[one]).map((one) => [one, added[one]])),
  );
}

export function storedText(runs: StoredRuns): string {
  return `${JSON.stringify(runs, null, 2)}\n`;
}
