/**
 * The report of a run: one HTML file that asks nothing of anybody, with plots, tables and all of the run's figures in
 * it. Words and tables are there without a script; the script draws the plots.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import type { Spread } from "../spread.ts";
import type { LoadSummary } from "../summary.ts";
import { reportData } from "./charts.ts";
import { html, type Markup, raw } from "./markup.ts";

const PAGE = fileURLToPath(import.meta.resolve("./page.ts"));
const STYLE = fileURLToPath(import.meta.resolve("./page.css"));
/** A browser loads nothing from anywhere, whatever stands in the page. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** @returns the whole page */
export function reportPage(summary: LoadSummary): string {
  const data = reportData(summary);
  const { scenario, outcome, what, startedAt, durationS, target, generator, problem } = summary;
  const plots = data.charts.map(
    ({ title, unit }, at) =>
      html`<figure><figcaption>${title} <span class="muted">(${unit})</span></figcaption><div data-chart="${at}"></div></figure>`,
  );
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${raw(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${scenario}: ${outcome}</title>
<style>${raw(libraryStyle())}${raw(readFileSync(STYLE, "utf8"))}</style>
</head>
<body>
<main>
<h1>${scenario} <span class="outcome ${outcome === "passed" ? "passed" : "failed"}">${outcome}</span></h1>
<p>${what}</p>
<p class="muted">${startedAt.replace("T", " ").replace(/\..*/, " UTC")}, ${durationS} s, ${target.kind} ${target.coreUrl}</p>
${problem === null ? "" : warning(problem)}
${generator.isBottleneck || generator.isCrowded ? warning(generator.verdict) : ""}
<div class="tiles">${tilesOf(summary)}</div>
${plots.length > 0 ? html`<h2>Over time</h2>${eventsOf(summary)}<div class="charts">${plots}</div>` : ""}
<h2>Figures</h2>
<div class="tables">${tablesOf(summary)}</div>
</main>
<script type="application/json" id="data">${raw(asScriptText(JSON.stringify(data)))}</script>
<script>${raw(pageScript())}</script>
</body>
</html>
`;
  return page.text;
}

function warning(text: string): Markup {
  return html`<p class="warning" role="alert">${text}</p>`;
}

function tilesOf({ totals, trends, generator, drill }: LoadSummary): Markup[] {
  const failures = Object.values(totals.failures).reduce((sum, count) => sum + count, 0);
  const tile = (label: string, value: string) =>
    html`<div class="tile"><b>${value}</b>${label}</div>`;
  const share = generator.share;
  return [
    tile("players at once", String(totals.playersMost)),
    tile("joins", String(totals.joins)),
    tile("failures", String(failures)),
    ...(trends.join ? [tile("join p50 / p99, ms", pair(trends.join))] : []),
    ...(trends.echo ? [tile("input echo p50 / p99, ms", pair(trends.echo))] : []),
    ...(trends.downtime ? [tile("downtime p50 / p99, ms", pair(trends.downtime))] : []),
    ...(drill ? [tile(`of ${drill.players} struck not back`, String(drill.missing))] : []),
    tile("k6's share of processor time", share === null ? "–" : `${Math.round(share * 100)}%`),
  ];
}

function eventsOf({ events }: LoadSummary): Markup | string {
  if (events.length === 0) return "";
  const lines = events.map(({ atS, what }) => html`<li>${atS.toFixed(1)} s: ${what}</li>`);
  return html`<section class="card"><ol>${lines}</ol></section><p></p>`;
}

function tablesOf(summary: LoadSummary): Markup[] {
  const { thresholds, checks, trends, totals, parameters, generator, machine, target } = summary;
  const verdict = (passed: boolean) =>
    html`<span class="${passed ? "passed" : "failed"}">${passed ? "✓ held" : "✗ broken"}</span>`;
  return [
    table(
      "Thresholds",
      ["metric", "has to be", ""],
      [
        ...thresholds.map(({ metric, expression, passed }) => [
          metric,
          expression,
          verdict(passed),
        ]),
      ],
    ),
    table(
      "Checks",
      ["what", "held", "did not"],
      [
        ...checks.map(({ name, passes, fails }) => [
          name,
          number(passes),
          fails > 0 ? html`<span class="failed">${fails}</span>` : number(0),
        ]),
      ],
    ),
    table(
      "Durations, ms",
      ["", "count", "p50", "p95", "p99", "most"],
      [
        ...Object.entries(trends).flatMap(([name, spread]) => {
          if (!spread) return [];
          const { count, p50, p95, p99, max } = spread;
          return [[name, ...[count, p50, p95, p99, max].map(number)]];
        }),
      ],
    ),
    table(
      "Failures",
      ["kind", "count"],
      [...Object.entries(totals.failures).map(([kind, count]) => [kind, number(count)])],
    ),
    table(
      "Generator",
      ["", ""],
      [
        ["verdict", generator.verdict],
        ["windows without time to spare", `${generator.boundWindows} of ${generator.windows}`],
        [
          "windows that other programs filled",
          `${generator.crowdedWindows} of ${generator.windows}`,
        ],
        ["samples that came late", String(totals.lateSamples)],
      ],
    ),
    table("Parameters", ["name", "value"], Object.entries(parameters)),
    table(
      "Made on",
      ["", ""],
      [
        ["machine", `${machine.processors} × ${machine.model}, ${machine.memoryGiB} GiB`],
        ["system", machine.system],
        ["Node", machine.node],
        ["k6", machine.k6],
        ["commit", summary.commit ?? "–"],
        ["build of the core", target.build ?? "–"],
        ["regions", target.regions.join(", ") || "–"],
        ["distances", target.wan ? "as in reality" : "none added"],
      ],
    ),
  ].filter((one) => one !== undefined);
}

type Cell = string | Markup;

function table(title: string, heads: readonly string[], rows: readonly (readonly Cell[])[]) {
  if (rows.length === 0) return undefined;
  const head = heads.some((text) => text !== "")
    ? html`<thead><tr>${heads.map((text) => html`<th>${text}</th>`)}</tr></thead>`
    : "";
  const cells = (row: readonly Cell[]) =>
    row.map((cell) => (isTableCell(cell) ? cell : html`<td>${cell}</td>`));
  return html`<section class="card"><h2>${title}</h2><div class="scroll"><table>${head}<tbody>${rows.map((row) => html`<tr>${cells(row)}</tr>`)}</tbody></table></div></section>`;
}

function isTableCell(cell: Cell): boolean {
  return typeof cell !== "string" && cell.text.startsWith("<td");
}

function number(value: number): Markup {
  return html`<td class="number">${Math.round(value * 10) / 10}</td>`;
}

function pair({ p50, p99 }: Spread): string {
  return `${Math.round(p50)} / ${Math.round(p99)}`;
}

function libraryStyle(): string {
  return readFileSync(createRequire(import.meta.url).resolve("uplot/dist/uPlot.min.css"), "utf8");
}

function pageScript(): string {
  const { outputFiles } = buildSync({
    entryPoints: [PAGE],
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    target: "es2022",
    minify: true,
  });
  return outputFiles[0]?.text ?? "";
}

/** JSON that no browser takes for the end of the script. */
function asScriptText(json: string): string {
  return json.replaceAll("<", "\\u003c");
}
