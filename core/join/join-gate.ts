/** At most so many joins under way; the next is refused at once, so a slow region can't pile them up. */
import { MeridianError } from "../../shared/errors.ts";
import { Gauge, type Metrics } from "../../shared/metrics.ts";

const RETRY_AFTER_MS = 1_000;

export class JoinGate {
  readonly #underWayMax: number;
  #underWay = 0;

  constructor(underWayMax: number, metrics: Metrics) {
    this.#underWayMax = underWayMax;
    const underWay = () => this.#underWay;
    new Gauge({
      name: "meridian_joins_under_way",
      help: "Joins, renewals and reconnections that wait for a region or the database.",
      registers: [metrics],
      collect() {
        this.set(underWay());
      },
    });
  }

  /** @throws {MeridianError} `unavailable` when too many are under way; what `work` throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#underWayMax) {
      throw new MeridianError("unavailable", {
        message: "Too many players join at this moment.",
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
    }
  }
}
