/**
 * What k6's samples come to in each window of time, a second by default, and over the whole run. Pure, but for the
 * histograms it keeps.
 *
 * A window is closed `LATE_MS` after its end: k6 hands samples over five times a second, and they wait in a pipe when
 * the machine is busy. What comes still later is counted, and is in the figures of the whole run only. Open windows
 * hold every value, closed ones a few numbers, and no more than `windowsMax` are kept.
 */
import {
  type Counter,
  type Gauge,
  isCounter,
  isGauge,
  isTrend,
  type Sample,
  TRENDS,
  type Trend,
} from "./k6-sample.ts";
import { LongSpread, type Spread, spreadOf } from "./spread.ts";

export const LATE_MS = 3_000;
/** Kinds are few; a script that makes one up for each failure must not fill the memory. */
const KINDS_MAX = 100;
const OTHER_KIND = "other";

export interface WindowFigures {
  /** The window's number, from 0. */
  readonly index: number;
  readonly counters: Readonly<Partial<Record<Counter, number>>>;
  readonly joins: number;
  /** At its end; as before where nothing was told. */
  readonly players: number;
  readonly queue: number;
  readonly trends: Readonly<Partial<Record<Trend, Spread>>>;
}

export interface Totals {
  readonly counters: Readonly<Partial<Record<Counter, number>>>;
  readonly failures: Readonly<Record<string, number>>;
  readonly trends: Readonly<Partial<Record<Trend, Spread>>>;
  readonly checks: Readonly<Record<string, { readonly passes: number; readonly fails: number }>>;
  readonly playersMost: number;
  /** Of the whole run, whenever percentiles began. */
  readonly joins: number;
  /** Samples that came after their window was closed, or of no window. */
  readonly late: number;
}

export interface WindowsOptions {
  /** Of the first window, wall time. */
  readonly startedAtMs: number;
  readonly windowMs: number;
  readonly windowsMax: number;
}

interface OpenWindow {
  readonly counters: Map<Counter, number>;
  readonly values: Map<Trend, number[]>;
  /** The last ones, by whom they are of. */
  readonly gauges: Map<string, number>;
}

export class Windows {
  readonly #options: WindowsOptions;
  readonly #open = new Map<number, OpenWindow>();
  readonly #closed: WindowFigures[] = [];
  readonly #counters = new Map<Counter, number>();
  readonly #failures = new Map<string, number>();
  readonly #checks = new Map<string, { passes: number; fails: number }>();
  readonly #trends = new Map<Trend, LongSpread>(TRENDS.map((name) => [name, new LongSpread()]));
  /** As last told. */
  readonly #gauges = new Map<string, number>();
  #playersMost = 0;
  #joins = 0;
  #late = 0;

  constructor(options: WindowsOptions) {
    this.#options = options;
  }

  add(sample: Sample): void {
    const { metric, value, tags } = sample;
    const open = this.#windowAt(sample.atMs);
    if (!open) this.#late += 1;
    if (metric === "join_ms") this.#joins += 1;
    if (isTrend(metric)) {
      this.#trends.get(metric)?.add(value);
      if (open) listOf(open.values, metric).push(value);
    } else if (isCounter(metric)) {
      add(this.#counters, metric, value);
      if (metric === "failures") this.#addFailure(tags.kind ?? OTHER_KIND, value);
      if (open) add(open.counters, metric, value);
    } else if (isGauge(metric)) open?.gauges.set(gaugeKey(metric, tags), value);
    else this.#addCheck(tags.check ?? "?", value);
  }

  /** Closes what is over by now. */
  advance(nowMs: number): void {
    const { startedAtMs, windowMs, windowsMax } = this.#options;
    const over = Math.floor((nowMs - LATE_MS - startedAtMs) / windowMs);
    while (this.#closed.length < Math.min(over, windowsMax)) this.#closeNext();
  }

  /** Closes everything up to that moment. */
  finish(endedAtMs: number): void {
    this.advance(endedAtMs + LATE_MS + this.#options.windowMs);
  }

  /** Percentiles of the whole run begin anew here: what came before was to warm up. */
  restartTrends(): void {
    for (const trend of this.#trends.values()) trend.restart();
  }

  /** The last window that is over, with what there is of it until now. */
  lately(nowMs: number): WindowFigures {
    const { startedAtMs, windowMs } = this.#options;
    const index = Math.max(0, Math.floor((nowMs - startedAtMs) / windowMs) - 1);
    return this.#closed[index] ?? figuresOf(index, this.#open.get(index), this.#gauges);
  }

  get closed(): readonly WindowFigures[] {
    return this.#closed;
  }

  /** As far as the run is. */
  get totals(): Totals {
    const trends: Partial<Record<Trend, Spread>> = {};
    for (const [name, { spread }] of this.#trends) if (spread) trends[name] = spread;
    return {
      counters: Object.fromEntries(this.#counters),
      failures: Object.fromEntries(this.#failures),
      checks: Object.fromEntries(this.#checks),
      trends,
      playersMost: this.#playersMost,
      joins: this.#joins,
      late: this.#late,
    };
  }

  #windowAt(atMs: number): OpenWindow | undefined {
    const { startedAtMs, windowMs, windowsMax } = this.#options;
    const index = Math.floor((atMs - startedAtMs) / windowMs);
    if (!(index >= this.#closed.length && index < windowsMax)) return undefined;
    let open = this.#open.get(index);
    if (!open) {
      open = { counters: new Map(), values: new Map(), gauges: new Map() };
      this.#open.set(index, open);
    }
    return open;
  }

  #closeNext(): void {
    const index = this.#closed.length;
    const open = this.#open.get(index);
    this.#open.delete(index);
    for (const [key, value] of open?.gauges ?? []) this.#gauges.set(key, value);
    const figures = figuresOf(index, open, this.#gauges);
    this.#playersMost = Math.max(this.#playersMost, figures.players);
    this.#closed.push(figures);
  }

  #addFailure(kind: string, count: number): void {
    // Scripts add none at first, so that there is a count.
    if (count === 0) return;
    const known = this.#failures.has(kind) || this.#failures.size < KINDS_MAX;
    add(this.#failures, known ? kind : OTHER_KIND, count);
  }

  #addCheck(name: string, passed: number): void {
    const known = this.#checks.has(name) || this.#checks.size < KINDS_MAX;
    const key = known ? name : OTHER_KIND;
    const { passes, fails } = this.#checks.get(key) ?? { passes: 0, fails: 0 };
    this.#checks.set(
      key,
      passed > 0 ? { passes: passes + 1, fails } : { passes, fails: fails + 1 },
    );
  }
}

function figuresOf(
  index: number,
  open: OpenWindow | undefined,
  told: ReadonlyMap<string, number>,
): WindowFigures {
  const trends: Partial<Record<Trend, Spread>> = {};
  for (const [name, values] of open?.values ?? []) {
    const spread = spreadOf(values);
    if (spread) trends[name] = spread;
  }
  const gauges = new Map([...told, ...(open?.gauges ?? [])]);
  return {
    index,
    counters: Object.fromEntries(open?.counters ?? []),
    joins: trends.join_ms?.count ?? 0,
    players: gaugeOf(gauges, "players"),
    queue: gaugeOf(gauges, "queue_length"),
    trends,
  };
}

/** Of all who told: each region, each thread of k6. */
function gaugeOf(gauges: ReadonlyMap<string, number>, metric: Gauge): number {
  let sum = 0;
  for (const [key, value] of gauges) if (key.startsWith(`${metric} `)) sum += value;
  return sum;
}

function gaugeKey(metric: string, tags: Sample["tags"]): string {
  return `${metric} ${tags.region ?? ""} ${tags.vu ?? ""}`;
}

function add<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function listOf<Key>(lists: Map<Key, number[]>, key: Key): number[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}
