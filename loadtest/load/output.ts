/** Where a run writes, and what it says at its end. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { reportPage } from "./report/report.ts";
import type { LoadSummary } from "./summary.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = join(ROOT, ".meridian/load");

/** Makes the folder of a run. @param given by hand; otherwise one is named by time and scenario */
export function makeOutDir(given: string | undefined, name: string, nowMs: number): string {
  const time = new Date(nowMs).toISOString().replace(/\..*/, "").replaceAll(":", "-");
  const dir = given ?? join(FOLDER, `${time}-${name}`);
  mkdirSync(dir, { recursive: true });
  return dir;
}

export function writeSummary(dir: string, summary: LoadSummary): void {
  writeFileSync(join(dir, "summary.json"), `${JSON.stringify(summary, undefined, 2)}\n`);
  writeFileSync(join(dir, "report.html"), reportPage(summary));
}

/** A few lines for people. */
export function endText(summary: LoadSummary, dir: string): string {
  const { scenario, outcome, durationS, totals, trends, thresholds, checks, generator } = summary;
  const broken = thresholds.filter(({ passed }) => !passed);
  const unchecked = checks.filter(({ fails }) => fails > 0);
  const kinds = Object.entries(totals.failures).map(([kind, count]) => `${kind} ${count}`);
  const { drill, problem } = summary;
  const spread = (name: string, of: LoadSummary["trends"]["join"]) =>
    of
      ? [
          `  ${name.padEnd(12)} p50 ${of.p50.toFixed(0)} p99 ${of.p99.toFixed(0)} max ${of.max.toFixed(0)} ms, of ${of.count}`,
        ]
      : [];
  return [
    `${outcome === "passed" ? "✓" : "✗"} ${scenario} ${outcome} after ${durationS} s`,
    ...(problem === null ? [] : [`  ${problem}`]),
    ...broken.map(({ metric, expression }) => `  ✗ ${metric}: ${expression}`),
    ...unchecked.map(({ name, fails }) => `  ✗ ${fails} times not: ${name}`),
    `  players      ${totals.playersMost} at once, ${totals.joins} joins`,
    ...spread("log-in", trends.login),
    ...spread("join", trends.join),
    ...spread("input echo", trends.echo),
    ...spread("downtime", trends.downtime),
    ...spread("look-up", trends.lookUp),
    ...(totals.refusals > 0
      ? [`  refusals     ${totals.refusals}, all told when to come back`]
      : []),
    ...(drill
      ? [`  struck       ${drill.players}, of whom ${drill.missing} did not come back`]
      : []),
    `  failures     ${kinds.join(", ") || "none"}`,
    `  generator    ${generator.verdict}`,
    `  report       ${shown(join(dir, "report.html"))}`,
  ].join("\n");
}

/** One line for programs: everything but the windows. */
export function jsonLine({ windows: _windows, ...rest }: LoadSummary, dir: string): string {
  return JSON.stringify({ ...rest, dir });
}

function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}
