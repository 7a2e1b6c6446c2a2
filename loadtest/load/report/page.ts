/** Draws the plots of a report, in the browser: light or dark, as wide as there is room, one cursor for all. */
import uPlot from "uplot";
import type { Chart, ReportData } from "./charts.ts";

const HEIGHT_PX = 220;
const COLOURS = 6;
const DASH = [6, 4];
const LABEL_PX = 14;
const POINT_PX = 7;
const SYNC = "report";

const data = JSON.parse(document.getElementById("data")?.textContent ?? "{}") as ReportData;
const places = [...document.querySelectorAll<HTMLElement>("[data-chart]")];
const dark = window.matchMedia("(prefers-color-scheme: dark)");
let plots: uPlot[] = [];

function draw(): void {
  for (const plot of plots) plot.destroy();
  plots = places.flatMap((place) => {
    const chart = data.charts[Number(place.dataset.chart)];
    return chart ? [plotOf(chart, place)] : [];
  });
}

function plotOf(chart: Chart, place: HTMLElement): uPlot {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour("muted"),
    grid: { stroke: colour("grid"), width: 1 },
    ticks: { stroke: colour("grid"), width: 1 },
    font: "12px system-ui, sans-serif",
  };
  const bars = uPlot.paths.bars?.({ size: [0.9, 24], align: 1 });
  const options: uPlot.Options = {
    width: place.clientWidth,
    height: HEIGHT_PX,
    padding: [LABEL_PX + 4, 12, 0, 0],
    cursor: { sync: { key: SYNC } },
    scales: {
      x: { time: false },
      y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] },
    },
    axes: [
      { ...axis, values: (_plot, splits) => splits.map((at) => `${at} s`) },
      { ...axis, size: 64, values: (_plot, splits) => splits.map(short) },
    ],
    series: [
      { label: "at", value: (_plot, at) => (at === null ? "–" : `${at} s`) },
      ...chart.series.map(({ label, dashed }, index): uPlot.Series => {
        const own = colour(`series-${index % COLOURS}`);
        return {
          label,
          stroke: own,
          width: 2,
          value: (_plot, value) => (value === null ? "–" : short(value)),
          points: { size: POINT_PX, fill: own, filter: chart.style === "points" ? told : lonely },
          ...(dashed && { dash: DASH }),
          ...(chart.style === "points" && { paths: () => null }),
          ...(chart.style === "bars" && bars && { fill: own, width: 0, paths: bars }),
        };
      }),
    ],
    hooks: { draw: [(plot) => markEvents(plot, colour("event"))] },
  };
  const series = chart.series.map(({ values }) => [...values]);
  return new uPlot(options, [[...data.atS], ...series], place);
}

/** Values that no line shows: those without a neighbour. */
function lonely(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const isThere = (at: number) => (values[at] ?? null) !== null;
  return told(plot, series).filter((at) => !isThere(at - 1) && !isThere(at + 1));
}

function told(plot: uPlot, series: number): number[] {
  return [...(plot.data[series] ?? [])].flatMap((value, at) =>
    (value ?? null) === null ? [] : [at],
  );
}

/** A line at each event, with its number in the list below. */
function markEvents(plot: uPlot, colour: string): void {
  const { ctx, bbox } = plot;
  const { min = 0, max = 0 } = plot.scales.x ?? {};
  const ratio = window.devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.lineWidth = ratio;
  ctx.setLineDash([4 * ratio, 3 * ratio]);
  ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  data.events.forEach(({ atS }, index) => {
    if (atS < (min ?? 0) || atS > (max ?? 0)) return;
    const x = Math.round(plot.valToPos(atS, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(String(index + 1), x, bbox.top - 4 * ratio);
  });
  ctx.restore();
}

function short(value: number): string {
  if (Math.abs(value) >= 10_000) return `${Math.round(value / 1_000)}k`;
  return String(Math.round(value * 100) / 100);
}

draw();
dark.addEventListener("change", draw);
window.addEventListener("resize", () => {
  for (const [at, plot] of plots.entries()) {
    plot.setSize({ width: places[at]?.clientWidth ?? 0, height: HEIGHT_PX });
  }
});
