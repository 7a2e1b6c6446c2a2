/** What is seen of a run while it goes on: k6's samples, and beside them, window by window, servers and processors. */
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { Sight } from "./build-summary.ts";
import type { CpuWatch } from "./cpu-watch.ts";
import { progressLine } from "./progress.ts";
import type { ServerWatch } from "./server-watch.ts";
import type { Windows } from "./windows.ts";

export interface GatheringOptions {
  readonly windows: Windows;
  readonly windowMs: number;
  readonly watch: ServerWatch;
  readonly cpuWatch: CpuWatch;
  /** Percentiles of the whole run begin once so many play. */
  readonly warmUpPlayers: number | undefined;
  readonly clock: Clock;
}

export class Gathering {
  /** By window. */
  readonly sights = new Map<number, Sight>();
  readonly #options: GatheringOptions;
  readonly #beganMs: number;
  readonly #cancel: Cancel;
  #last: Sight;
  #isWarm: boolean;

  /** Begins at once. */
  constructor(options: GatheringOptions) {
    const { clock, watch, cpuWatch, windowMs, warmUpPlayers } = options;
    this.#options = options;
    this.#isWarm = warmUpPlayers === undefined;
    this.#beganMs = clock.monotonicMs();
    // The first look only gives the others something to compare with.
    cpuWatch.look();
    this.#last = { regions: watch.regions, cpu: undefined };
    this.#cancel = clock.every(windowMs, () => this.#look());
  }

  stop(): void {
    this.#cancel();
  }

  get passedS(): number {
    return (this.#options.clock.monotonicMs() - this.#beganMs) / 1_000;
  }

  /** As the core named them last. */
  get regionIds(): string[] {
    return this.#last.regions.map(({ regionId }) => regionId);
  }

  get line(): string {
    const { windows, windowMs, clock } = this.#options;
    return progressLine({
      passedS: this.passedS,
      window: windows.lately(clock.nowMs()),
      windowS: windowMs / 1_000,
      totals: windows.totals,
      ...this.#last,
    });
  }

  #look(): void {
    const { windows, windowMs, watch, cpuWatch, clock, warmUpPlayers = 0 } = this.#options;
    this.#last = { regions: watch.regions, cpu: cpuWatch.look() };
    // It tells of the window that has just ended.
    this.sights.set(Math.round((this.passedS * 1_000) / windowMs) - 1, this.#last);
    windows.advance(clock.nowMs());
    if (this.#isWarm || windows.lately(clock.nowMs()).players < warmUpPlayers) return;
    this.#isWarm = true;
    windows.restartTrends();
  }
}
