/** How far a run is, in one line. Pure. */
import type { Cpu } from "./generator.ts";
import type { RegionLoad } from "./summary.ts";
import type { Totals, WindowFigures } from "./windows.ts";

export interface Progress {
  readonly passedS: number;
  /** The last that is over. */
  readonly window: WindowFigures;
  readonly windowS: number;
  readonly totals: Totals;
  readonly regions: readonly RegionLoad[];
  readonly cpu: Cpu | undefined;
}

export function progressLine(progress: Progress): string {
  const { passedS, window, windowS, totals, regions, cpu } = progress;
  const echo = window.trends.input_echo_ms;
  const waiting = regions.reduce((sum, region) => sum + region.waiting, 0);
  const failures = Object.values(totals.failures).reduce((sum, count) => sum + count, 0);
  return [
    `${Math.round(passedS)} s`,
    `players ${window.players}`,
    `joins ${(window.joins / windowS).toFixed(1)}/s`,
    `failures ${failures}`,
    `queue ${Math.max(window.queue, waiting)}`,
    `echo p50 ${ms(echo?.p50)} p99 ${ms(echo?.p99)} ms`,
    ...(regions.length > 0 ? [regions.map(regionText).join("  ")] : []),
    ...(cpu ? [cpuText(cpu)] : []),
  ].join(" | ");
}

function regionText({ regionId, players, state }: RegionLoad): string {
  return `${regionId} ${state === "active" ? players : state}`;
}

function cpuText({ k6, servers, busy }: Cpu): string {
  const ofServers = servers === null ? "" : ` servers ${percent(servers)}`;
  return `cpu k6 ${percent(k6)}${ofServers} (${percent(busy)} busy)`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function ms(value: number | undefined): string {
  return value === undefined ? "-" : value.toFixed(0);
}
