/**
 * Openings of regions that operators schedule. They are in the database and, all of them, in memory, so that the
 * queue asks nobody. The seed is made at the scheduling and stays when the time is changed; it is sealed in the
 * database, so that a copy of that does not tell the order before its time.
 *
 * One opening of a region is to come at a time. A change is stored before it counts.
 */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { OPENINGS_KEPT_MS, type OpeningInfo } from "../../shared/protocol/openings.ts";
import type { Database } from "../db/database.ts";
import type { RandomBytes, Vault } from "../tickets/master-key.ts";
import { commitmentOf, drawOf, type Opening, rangeOf } from "./draw.ts";
import * as store from "./opening-store.ts";
import type { OpeningDraw } from "./region-queue.ts";

const SEED_BYTES = 32;
/** Later than any statement ends: a seed that is told already must not draw for another time. */
const SETTLED_MS = 10_000;
const LEAD_MS_MIN = 1_000;
/** A slip of the pen must not shut a region for good. */
const LEAD_MS_MAX = 90 * 86_400_000;

export const OPENING_RULE =
  "From the scheduling on nobody is let into the region before opensAtMs. All who have a place by then are let " +
  "in in the order of their numbers inside a class, and before all who come later; who waited before the " +
  "scheduling comes before them. The number: SHA-256 of the 32 bytes of seed followed by the player id as text " +
  "(of a party, the id of the one who joined for all); its first 6 bytes as an unsigned integer, big-endian, " +
  "times numbers, divided by 2^48, rounded down, plus firstNumber. Who draws a number that is taken gets the " +
  "next free one. commitment is SHA-256 of seed, and is told from the scheduling on.";

/** Of the queue, which never goes back. */
export interface QueueClock {
  readonly nowMs: number;
}

export interface OpeningsDeps {
  readonly database: Database;
  readonly vault: Vault;
  readonly random: RandomBytes;
  readonly clock: Pick<Clock, "nowMs">;
}

export class Openings implements Part {
  readonly name = "openings";
  readonly #deps: OpeningsDeps;
  /** The earliest first. */
  #all: readonly Opening[] = [];
  #draws: ReadonlyMap<RegionId, readonly OpeningDraw[]> = new Map();
  /** One change at a time. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(deps: OpeningsDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { database, clock } = this.#deps;
    const rows = await store.selectOpenings(database, new Date(clock.nowMs() - OPENINGS_KEPT_MS));
    this.#hold(rows.map((row) => this.#opened(row)));
  }

  async stop(): Promise<void> {
    await this.#changing;
  }

  /** Another object whenever anything is different. */
  get draws(): ReadonlyMap<RegionId, readonly OpeningDraw[]> {
    return this.#draws;
  }

  /** The opening for which a place was drawn that was seen last at that time. */
  drawFor(regionId: RegionId, seenMs: number): OpeningDraw | undefined {
    return this.#draws.get(regionId)?.find(({ opensAtMs }) => opensAtMs > seenMs);
  }

  /**
   * Schedules one, or moves the one that is to come.
   * @param queue whose clock all times here are of
   * @throws {MeridianError} `bad_request` for such a time, `conflict` when the region is about to open
   */
  schedule(regionId: RegionId, opensAtMs: number, queue: QueueClock): Promise<Opening> {
    const leadMs = opensAtMs - queue.nowMs;
    if (!(leadMs >= LEAD_MS_MIN && leadMs <= LEAD_MS_MAX)) {
      const message = "An opening is at least a second and at most 90 days ahead.";
      return Promise.reject(new MeridianError("bad_request", { message }));
    }
    return this.#alone(async () => {
      const { nowMs } = queue;
      const pending = this.#changeable(regionId, nowMs);
      const opening: Opening = pending
        ? { ...pending, opensAtMs }
        : {
            regionId,
            scheduledAtMs: Math.floor(nowMs),
            opensAtMs,
            seed: this.#deps.random(SEED_BYTES),
          };
      await this.#stored(
        pending
          ? store.moveOpening(this.#deps.database, timesOf(opening))
          : store.insertOpening(this.#deps.database, this.#rowOf(opening)),
      );
      this.#hold([...this.#all.filter((one) => one !== pending), opening]);
      return opening;
    });
  }

  /**
   * The region is open at once: those who waited for the opening are let in in the order that they drew.
   * @throws {MeridianError} `not_found` when none is to come, `conflict` when the region is about to open
   */
  cancel(regionId: RegionId, queue: QueueClock): Promise<Opening> {
    return this.#alone(async () => {
      const { nowMs } = queue;
      const pending = this.#changeable(regionId, nowMs);
      if (!pending) {
        throw new MeridianError("not_found", { message: "No opening of that region is to come." });
      }
      const opensAtMs = Math.max(pending.scheduledAtMs + 1, Math.floor(nowMs));
      const opening = { ...pending, opensAtMs };
      await this.#stored(store.moveOpening(this.#deps.database, timesOf(opening)));
      this.#hold([...this.#all.filter((one) => one !== pending), opening]);
      return opening;
    });
  }

  /** What everybody may know. */
  list(nowMs: number): OpeningInfo[] {
    return this.#all
      .filter(({ opensAtMs }) => opensAtMs > nowMs - OPENINGS_KEPT_MS)
      .map((opening) => {
        const { regionId, opensAtMs, seed } = opening;
        const isOpen = opensAtMs <= nowMs;
        return {
          regionId,
          opensAtMs,
          commitment: commitmentOf(seed).toString("hex"),
          draw: isOpen ? { seed: seed.toString("hex"), ...rangeOf(opening) } : null,
        };
      });
  }

  /** The one that is to come. @throws {MeridianError} `conflict` when it does so in a moment */
  #changeable(regionId: RegionId, nowMs: number): Opening | undefined {
    const pending = this.#all.find((one) => one.regionId === regionId && one.opensAtMs > nowMs);
    if (pending && pending.opensAtMs - nowMs < SETTLED_MS) {
      throw new MeridianError("conflict", {
        message: "The region opens within seconds: that can't be changed any more.",
      });
    }
    return pending;
  }

  /** One that fails may have been carried out all the same: then that counts, before any restart shows it. */
  async #stored(write: Promise<void>): Promise<void> {
    try {
      await write;
    } catch (error) {
      // The database is away: what is in memory goes on to count, and the operator is told of the failure.
      await this.start().catch(() => undefined);
      throw error;
    }
  }

  #hold(openings: readonly Opening[]): void {
    const oldestMs = this.#deps.clock.nowMs() - OPENINGS_KEPT_MS;
    const kept = openings.filter(({ opensAtMs }) => opensAtMs > oldestMs);
    this.#all = kept.sort((a, b) => a.opensAtMs - b.opensAtMs);
    const draws = new Map<RegionId, OpeningDraw[]>();
    for (const opening of this.#all) {
      const { regionId } = opening;
      draws.set(regionId, [...(draws.get(regionId) ?? []), drawOf(opening)]);
    }
    this.#draws = draws;
  }

  async #alone<T>(change: () => Promise<T>): Promise<T> {
    const before = this.#changing;
    const done = before.then(change, change);
    this.#changing = done.catch(() => undefined);
    return await done;
  }

  #opened(row: store.OpeningRow): Opening {
    const { region_id: regionId, scheduled_at, opens_at, seed_sealed, commitment } = row;
    const scheduledAtMs = scheduled_at.getTime();
    const text = this.#deps.vault.open(seed_sealed, labelOf({ regionId, scheduledAtMs }));
    const seed = Buffer.from(text ?? "", "hex");
    if (!commitmentOf(seed).equals(commitment)) {
      throw new Error(
        `MASTER_KEY does not open the seed of the opening of ${regionId}: ` +
          "give the one that this database was set up with",
      );
    }
    return { regionId, scheduledAtMs, opensAtMs: opens_at.getTime(), seed };
  }

  #rowOf(opening: Opening): store.OpeningRow {
    const { seed } = opening;
    return {
      ...timesOf(opening),
      seed_sealed: this.#deps.vault.seal(seed.toString("hex"), labelOf(opening)),
      commitment: commitmentOf(seed),
    };
  }
}

function timesOf({ regionId, scheduledAtMs, opensAtMs }: Opening) {
  return {
    region_id: regionId,
    scheduled_at: new Date(scheduledAtMs),
    opens_at: new Date(opensAtMs),
  };
}

function labelOf({ regionId, scheduledAtMs }: Pick<Opening, "regionId" | "scheduledAtMs">): string {
  return `opening ${regionId} ${scheduledAtMs}`;
}
