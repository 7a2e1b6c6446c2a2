/** Which plots a report has, and what is in them. Pure; it runs in Node, and what it returns goes into the page. */

import type { Spread } from "../spread.ts";
import type { LoadEvent, LoadSummary, LoadWindow } from "../summary.ts";

export interface Series {
  readonly label: string;
  /** One a window; null: nothing to show then. */
  readonly values: readonly (number | null)[];
  readonly dashed?: boolean;
}

export interface Chart {
  readonly title: string;
  /** Of the vertical axis. */
  readonly unit: string;
  readonly series: readonly Series[];
  /** Lines by default; values that stand for their window alone are not joined by any. */
  readonly style?: "bars" | "points";
}

export interface ReportData {
  /** Seconds since the run began, one a window. */
  readonly atS: readonly number[];
  readonly charts: readonly Chart[];
  readonly events: readonly LoadEvent[];
}

export function reportData({ windows, windowS, events }: LoadSummary): ReportData {
  const each = (of: (window: LoadWindow) => number | null | undefined) =>
    windows.map((window) => of(window) ?? null);
  const rate = (of: (window: LoadWindow) => number) =>
    each((window) => Math.round((of(window) / windowS) * 100) / 100);
  const regionIds = [
    ...new Set(windows.flatMap(({ regions }) => regions.map(({ regionId }) => regionId))),
  ];
  const ofRegion = (id: string, what: "players" | "waiting" | "tickLatenessP99Ms") =>
    each(({ regions }) => regions.find(({ regionId }) => regionId === id)?.[what]);
  const spread = (of: (window: LoadWindow) => Spread | undefined): Series[] =>
    (["p50", "p95", "p99"] as const).map((name) => {
      return { label: name, values: each((window) => of(window)?.[name]) };
    });
  const charts: Chart[] = [
    {
      title: "Players and queue",
      unit: "players",
      series: [
        { label: "at play", values: each(({ players }) => players) },
        {
          label: "waiting",
          values: each(({ queue, regions }) => Math.max(queue, waitingIn(regions))),
          dashed: true,
        },
      ],
    },
    {
      title: "Joins, polite refusals and failures",
      unit: "a second",
      series: [
        { label: "joins", values: rate(({ joins }) => joins) },
        { label: "refusals", values: rate(({ refusals }) => refusals) },
        { label: "failures", values: rate(({ failures }) => failures) },
      ],
      style: "bars",
    },
    { title: "Input echo", unit: "ms", series: spread(({ echo }) => echo) },
    { title: "Join", unit: "ms", series: spread(({ join }) => join) },
    { title: "Look-up", unit: "ms", series: spread(({ lookUp }) => lookUp) },
    { title: "Log-in", unit: "ms", series: spread(({ login }) => login) },
    {
      title: "Downtime, at the moment of the return",
      unit: "ms",
      series: spread(({ downtime }) => downtime),
      style: "points",
    },
    {
      title: "Players by region",
      unit: "players",
      series: regionIds.map((id) => ({ label: id, values: ofRegion(id, "players") })),
    },
    {
      title: "Queue by region",
      unit: "waiting",
      series: regionIds.map((id) => ({ label: id, values: ofRegion(id, "waiting") })),
    },
    {
      title: "Tick lateness p99 by region",
      unit: "ms",
      series: regionIds.map((id) => ({ label: id, values: ofRegion(id, "tickLatenessP99Ms") })),
    },
    {
      title: "Inputs and patches",
      unit: "a second",
      series: [
        { label: "inputs", values: rate(({ inputs }) => inputs) },
        { label: "patches", values: rate(({ patches }) => patches) },
      ],
    },
    {
      title: "k6's own lag, from a frame to the script",
      unit: "ms",
      series: spread(({ generatorLag }) => generatorLag),
    },
    {
      title: "Processors",
      unit: "processors",
      series: [
        { label: "k6", values: each(({ cpu }) => cpu?.k6) },
        { label: "servers", values: each(({ cpu }) => cpu?.servers) },
      ],
    },
  ];
  return { atS: windows.map(({ atS }) => atS), charts: charts.filter(hasSomething), events };
}

/** A plot of nothing but nothing, or zeros, only takes room; the first two say even then that there was nothing. */
function hasSomething({ series }: Chart, at: number): boolean {
  return at < 2 || series.some(({ values }) => values.some((value) => value !== null && value > 0));
}

function waitingIn(regions: LoadWindow["regions"]): number {
  return regions.reduce((sum, { waiting }) => sum + waiting, 0);
}
