/** The committed figures and the page that is made of them, on disk. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Benchmark } from "../benchmark.ts";
import { benchmarksPage } from "./page.ts";
import {
  type NewRun,
  readStoredRuns,
  type StoredRuns,
  storedText,
  withRun,
} from "./stored-runs.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const DATA = "docs/benchmarks.json";
const PAGE = "docs/benchmarks.md";
const TEMPLATES = fileURLToPath(new URL("../pages", import.meta.url));

type Named = Pick<Benchmark, "name" | "goals">;

/** Keeps a run in place of the former one of its benchmark; the page is made anew by `rewritePage`. */
export function keepRun(name: string, run: NewRun, benchmarks: readonly Named[]): void {
  const names = benchmarks.map((one) => one.name);
  const runs = withRun(readStoredRuns(join(ROOT, DATA)), { name, run, names });
  replaceFile(DATA, storedText(runs));
}

/** @returns which file it wrote, from what is stored. @throws when a page does not fit its figures */
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
