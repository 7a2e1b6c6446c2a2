/**
 * What this client knows of its round trips. They are measured at the first use and serve at once for
 * `USABLE_MS`; once they are older than `FRESH_MS`, a use also has them measured anew in the background.
 * One measuring runs at a time, whoever waits for it. What is known is kept in the storage as well, so
 * that a page that is loaded again need not wait; a change of network throws all of it away.
 *
 * A measuring that reached no region tells of a bad moment, not of the regions: it is not kept.
 */
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { isFailure } from "../errors.ts";
import { RoundTripsReport } from "../protocol/join.ts";
import { watchNetwork } from "./network.ts";
import type { Measured } from "./round-trips.ts";
import type { KeyValueStorage } from "./storage.ts";

export const FRESH_MS = 60_000;
export const USABLE_MS = 600_000;
/** The first, and one more if the network changed under it. */
const TRIES_MAX = 2;
const KEY = "meridian.round-trips";

const FullReport = RoundTripsReport.required();
/** What goes along with a request. */
export type FullReport = Readonly<z.input<typeof FullReport>>;

const Kept = FullReport.omit({ roundTripsAgeMs: true }).extend({
  /** The core whose regions they are: a page may know several. */
  core: z.string(),
  /** Ms since 1970. By this clock, because the monotonic one stops while the machine sleeps. */
  measuredAtMs: z.number(),
});
type Kept = Readonly<z.input<typeof Kept>>;

export interface MeasurementsOptions {
  /** The core's URL. */
  readonly core: string;
  readonly storage: KeyValueStorage;
  readonly clock: Clock;
  /** Measures now. @throws {MeridianError} when the core does not tell what there is to measure */
  readonly measure: () => Promise<Measured>;
  readonly watchNetwork?: typeof watchNetwork;
}

export class Measurements {
  readonly #options: MeasurementsOptions;
  #kept: Kept | undefined;
  #begun = false;
  #underWay: Promise<Kept> | undefined;
  /** How often the network changed. */
  #changes = 0;

  constructor(options: MeasurementsOptions) {
    this.#options = options;
  }

  /**
   * For a request that may wait for the first measuring, and for no other.
   * @throws {MeridianError} when nothing is known and the core does not tell what to measure
   */
  async forJoin(): Promise<FullReport> {
    const kept = this.#youngerThan(USABLE_MS);
    if (!kept) return this.#report(await this.#measured());
    if (!this.#youngerThan(FRESH_MS)) this.#measureInBackground();
    return this.#report(kept);
  }

  /** For a request that can't wait at all. */
  known(): FullReport | undefined {
    const kept = this.#youngerThan(USABLE_MS);
    return kept && this.#report(kept);
  }

  /** @throws {MeridianError} when the core does not tell what to measure */
  async newerThan(maxAgeMs: number): Promise<FullReport> {
    const kept = this.#youngerThan(Math.min(maxAgeMs, USABLE_MS));
    return this.#report(kept ?? (await this.#measured()));
  }

  #youngerThan(ageMs: number): Kept | undefined {
    this.#begin();
    const kept = this.#kept;
    if (!kept) return undefined;
    const atMs = this.#options.clock.nowMs() - kept.measuredAtMs;
    // Below zero the clock was set back: nobody knows how old they are.
    return atMs >= 0 && atMs < ageMs ? kept : undefined;
  }

  /** Not at the construction: that has no effects. */
  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#kept = this.#read();
    const watch = this.#options.watchNetwork ?? watchNetwork;
    // For as long as the page lives, as whoever owns this.
    watch((event) => {
      if (event === "networkChanged") this.#forget();
    });
  }

  #forget(): void {
    this.#changes += 1;
    this.#kept = undefined;
    this.#options.storage.removeItem(KEY);
  }

  #measureInBackground(): void {
    this.#measured().catch((error) => {
      // The core is away for a moment: what is known serves on, and the next use tries again.
      if (!isFailure(error)) throw error;
    });
  }

  #measured(): Promise<Kept> {
    this.#underWay ??= this.#measure().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #measure(): Promise<Kept> {
    const { core, clock, measure } = this.#options;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const changes = this.#changes;
      const { roundTripsMs, unanswered } = await measure();
      // Half of it is from a network that this client has left.
      if (changes !== this.#changes) continue;
      return this.#keep({
        core,
        measuredAtMs: clock.nowMs(),
        roundTripsMs: { ...roundTripsMs },
        unanswered: [...unanswered],
      });
    }
    return { core, measuredAtMs: clock.nowMs(), roundTripsMs: {}, unanswered: [] };
  }

  #keep(measured: Kept): Kept {
    if (Object.keys(measured.roundTripsMs).length === 0) return measured;
    this.#kept = measured;
    this.#options.storage.setItem(KEY, JSON.stringify(measured));
    return measured;
  }

  #read(): Kept | undefined {
    const { core, storage } = this.#options;
    try {
      const kept = Kept.parse(JSON.parse(storage.getItem(KEY) ?? "null"));
      return kept.core === core ? kept : undefined;
    } catch {
      // Nothing there, or something of another version or of anybody: it is measured anew.
      return undefined;
    }
  }

  #report({ roundTripsMs, unanswered, measuredAtMs }: Kept): FullReport {
    const ageMs = this.#options.clock.nowMs() - measuredAtMs;
    return { roundTripsMs, unanswered, roundTripsAgeMs: Math.max(0, Math.round(ageMs)) };
  }
}
