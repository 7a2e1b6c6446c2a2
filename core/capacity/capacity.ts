/**
 * The limits that load tests found, stored by operators: read at the start, before anybody is admitted, and given
 * to the registry, so that the ranking and admission offer no more seats than were measured, less a margin.
 *
 * While a load test looks for the next limit of a region those that it has do not count there: admission would hold
 * the test back. That is known in memory alone, and for a bounded time.
 *
 * A limit is stored before it counts. Without the database the last ones go on to count. Nobody is thrown out by
 * one: where more play than a new limit allows, the next are not let in until enough have left.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Gauge, type Metrics } from "../../shared/metrics.ts";
import { type CapacityRequest, LIMITS_LISTED_MAX } from "../../shared/protocol/ops-capacity.ts";
import type { Database } from "../db/database.ts";
import type { Recording } from "../db/recording.ts";
import type { Registry } from "../regions/registry.ts";
import { insertLimit, selectLimits } from "./capacity-store.ts";
import { type CapacityLimit, newestFirst, seatLimitsOf } from "./seat-limits.ts";
import { type UnmeasuredBuild, unmeasuredBuilds } from "./unmeasured-builds.ts";

const LOOK_PERIOD_MS = 1_000;
/** Clocks differ; more ahead is a slip that would outlast every later measurement. */
const AHEAD_MS_MAX = 300_000;

export interface CapacityDeps {
  readonly database: Database;
  readonly registry: Pick<Registry, "regions" | "setLimits">;
  /** Share of each limit that is not given, 0 to 1. */
  readonly margin: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export type NewLimit = Omit<CapacityRequest, "dryRun"> & {
  readonly regionId: RegionId;
  readonly by: string;
};

export class Capacity implements Part {
  readonly name = "capacity";
  readonly margin: number;
  readonly #deps: CapacityDeps;
  #limits: readonly CapacityLimit[] = [];
  /** Regions whose limits don't count, and until when, ms since 1970. */
  readonly #lifted = new Map<RegionId, number>();
  /** Those that the log has told of. */
  #told: ReadonlySet<string> = new Set();
  #storing: Promise<unknown> = Promise.resolve();
  #cancel: Cancel = () => {};

  constructor(deps: CapacityDeps) {
    this.#deps = deps;
    this.margin = deps.margin;
    const flags = () => this.flags();
    const limits = () => seatLimitsOf(this.#limits, 0);
    new Gauge({
      name: "meridian_capacity_unmeasured_nodes",
      help: "Live nodes of a build without a measured limit: the region's last one is used for them.",
      labelNames: ["region"],
      registers: [deps.metrics],
      collect() {
        this.reset();
        for (const { regionId, nodes } of flags()) this.inc({ region: regionId }, nodes);
      },
    });
    new Gauge({
      name: "meridian_capacity_players_per_node",
      help: "Players that one node of the region takes, as measured last.",
      labelNames: ["region"],
      registers: [deps.metrics],
      collect() {
        this.reset();
        for (const [region, { last }] of limits()) this.set({ region }, last.seats);
      },
    });
  }

  async start(): Promise<void> {
    this.#hold(await selectLimits(this.#deps.database, LIMITS_LISTED_MAX));
    this.#cancel = this.#deps.clock.every(LOOK_PERIOD_MS, () => this.#look());
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#storing;
  }

  /** Of each region the newest first; `LIMITS_LISTED_MAX` at most. */
  get limits(): readonly CapacityLimit[] {
    return this.#limits;
  }

  /** Builds of live nodes that nobody measured, where something was. */
  flags(): UnmeasuredBuild[] {
    return unmeasuredBuilds(this.#deps.registry.regions());
  }

  /** With this limit as if it were stored. @throws {MeridianError} `bad_request` */
  with(limit: NewLimit): readonly CapacityLimit[] {
    const { clock } = this.#deps;
    const measuredAtMs = Date.parse(limit.measuredAt);
    if (measuredAtMs > clock.nowMs() + AHEAD_MS_MAX) {
      const message = "measuredAt lies in the future.";
      throw new MeridianError("bad_request", { message });
    }
    const { regionId, playersPerNode, build, hardware, serviceLevel, evidence = null, by } = limit;
    const added: CapacityLimit = {
      id: Number.POSITIVE_INFINITY,
      regionId,
      playersPerNode,
      build,
      measuredAtMs,
      hardware,
      serviceLevel,
      evidence,
      storedAtMs: clock.nowMs(),
      storedBy: by,
    };
    return [added, ...this.#limits];
  }

  /** @throws {MeridianError} `bad_request` for a time to come; `unavailable`: it does not count then */
  store(limit: NewLimit, record: Recording): Promise<CapacityLimit> {
    const [added] = this.with(limit);
    if (!added) throw new Error("a limit that was not added");
    const stored = this.#storing.then(async () => {
      const row = await this.#deps.database.transaction(async (tx) => {
        const inserted = await insertLimit(tx, added);
        await record(tx);
        return inserted;
      });
      this.#hold([...this.#limits, row]);
      return row;
    });
    // Its caller hears of a failure; the next one is stored all the same.
    this.#storing = stored.catch(() => undefined);
    return stored;
  }

  /** Until when the limits of regions don't count, ms since 1970. */
  get lifted(): ReadonlyMap<RegionId, number> {
    return this.#lifted;
  }

  /** For so long that region's limits don't count; 0: at once they do again. @returns until when, ms since 1970 */
  lift(regionId: RegionId, forS: number): number | undefined {
    const untilMs = forS === 0 ? undefined : this.#deps.clock.nowMs() + forS * 1_000;
    if (untilMs === undefined) this.#lifted.delete(regionId);
    else this.#lifted.set(regionId, untilMs);
    this.#apply();
    return untilMs;
  }

  #hold(limits: readonly CapacityLimit[]): void {
    const kept = new Map<RegionId, CapacityLimit[]>();
    for (const limit of newestFirst(limits)) {
      const own = kept.get(limit.regionId) ?? [];
      if (own.length < LIMITS_LISTED_MAX) kept.set(limit.regionId, [...own, limit]);
    }
    this.#limits = [...kept.values()].flat();
    this.#apply();
  }

  #apply(): void {
    const counting = this.#limits.filter(({ regionId }) => !this.#lifted.has(regionId));
    this.#deps.registry.setLimits(seatLimitsOf(counting, this.margin));
  }

  #endLifts(): void {
    const nowMs = this.#deps.clock.nowMs();
    const over = [...this.#lifted].filter(([, untilMs]) => nowMs >= untilMs);
    if (over.length === 0) return;
    for (const [regionId] of over) this.#lifted.delete(regionId);
    this.#apply();
  }

  #look(): void {
    this.#endLifts();
    const flags = this.flags();
    const keyOf = ({ regionId, build }: UnmeasuredBuild) => `${regionId} ${build}`;
    for (const flag of flags) {
      if (this.#told.has(keyOf(flag))) continue;
      const about = { ...flag, runbook: "core-capacity" };
      this.#deps.log.warn(about, "a build without a measured limit runs: the last limit is used");
    }
    this.#told = new Set(flags.map(keyOf));
  }
}
