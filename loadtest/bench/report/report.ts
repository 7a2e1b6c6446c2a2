/** The committed figures and the page that is made of them, on disk. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Benchmark } from "../benchmark.ts";
import { benchmarksPage } from "./page.ts";
import { readStoredRuns, StoredRun, type StoredRuns, storedText } from "./stored-runs.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const DATA = "docs/benchmarks.json";
const PAGE = "docs/benchmarks.md";
const TEMPLATES = fileURLToPath(new URL("../pages", import.meta.url));

type Named = Pick<Benchmark, "name" | "goals">;

export interface NewRun extends Omit<StoredRun, "date" | "figures"> {
  readonly figures: Readonly<Record<string, unknown>>;
}

/**
 * Keeps a run in place of the former one of its benchmark, and makes the page anew.
 * @returns which files it wrote. @throws, and writes nothing, when the page does not fit its figures
 */
export function reportRun(name: string, run: NewRun, benchmarks: readonly Named[]): string {
  const date = new Date().toISOString().slice(0, 10);
  // As they will be read again: what is no number in JSON is null.
  const kept = StoredRun.parse(JSON.parse(JSON.stringify({ date, ...run })));
  const former = readStoredRuns(join(ROOT, DATA));
  const all = { ...former, [name]: kept };
  const runs = Object.fromEntries(
    benchmarks.flatMap((one) => (all[one.name] ? [[one.name, all[one.name]]] : [])),
  ) as StoredRuns;
  const page = pageOf(runs, benchmarks);
  replaceFile(DATA, storedText(runs));
  replaceFile(PAGE, page);
  return `${DATA} and ${PAGE}`;
}

/** Makes the page of what is stored: after its prose was changed. */
export function rewritePage(benchmarks: readonly Named[]): string {
  replaceFile(PAGE, pageOf(readStoredRuns(join(ROOT, DATA)), benchmarks));
  return PAGE;
}

export function isPageCurrent(benchmarks: readonly Named[]): boolean {
  const page = pageOf(readStoredRuns(join(ROOT, DATA)), benchmarks);
  return readFileSync(join(ROOT, PAGE), "utf8") === page;
}

export function templateOf(name: string): string {
  return readFileSync(join(TEMPLATES, `${name}.md`), "utf8");
}

function pageOf(runs: StoredRuns, benchmarks: readonly Named[]): string {
  return benchmarksPage({ benchmarks, runs, head: templateOf("head"), templateOf });
}

/** Whole or not at all, for a run may be ended at any moment. */
function replaceFile(path: string, text: string): void {
  const target = join(ROOT, path);
  writeFileSync(`${target}.new`, text);
  renameSync(`${target}.new`, target);
}
