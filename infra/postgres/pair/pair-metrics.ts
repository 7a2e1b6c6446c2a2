/** The pair's metrics, served beside its members' health. */
import { Counter, Gauge, type Metrics } from "../../../shared/metrics.ts";
import { MEMBERS, type MemberName, type PairMark } from "./mark.ts";
import type { MemberStatus } from "./member-status.ts";
import type { PairEffect } from "./pair-step.ts";

export interface PairSeen {
  readonly mark: () => PairMark;
  readonly pair: { statusOf(name: MemberName): MemberStatus };
}

export class PairMetrics {
  readonly #promotions: Counter;
  readonly #standbyLost: Counter;
  readonly #failures: Counter<"what">;

  constructor(metrics: Metrics, { mark, pair }: PairSeen) {
    const registers = [metrics];
    this.#promotions = new Counter({
      name: "meridian_pair_promotions_total",
      help: "Standbys that became the primary.",
      registers,
    });
    this.#standbyLost = new Counter({
      name: "meridian_pair_standby_lost_total",
      help: "Times that commits went on without the standby.",
      registers,
    });
    this.#failures = new Counter({
      name: "meridian_pair_failures_total",
      help: "What the manager of primary and standby could not do, by what it was.",
      labelNames: ["what"],
      registers,
    });
    new Gauge({
      name: "meridian_pair_promotable",
      help: "1 while the standby has every acknowledged commit.",
      registers,
      collect() {
        this.set(mark().promotable ? 1 : 0);
      },
    });
    new Gauge({
      name: "meridian_pair_primary",
      help: "1 for the member that is the primary and serves.",
      labelNames: ["member"],
      registers,
      collect() {
        for (const member of MEMBERS) this.set({ member }, pair.statusOf(member).announced ? 1 : 0);
      },
    });
    new Gauge({
      name: "meridian_pair_lag_bytes",
      help: "What the standby has still to replay; absent while that is not known.",
      registers,
      collect() {
        this.reset();
        for (const member of MEMBERS) {
          const { lagBytes } = pair.statusOf(member);
          if (lagBytes !== undefined) this.set(lagBytes);
        }
      },
    });
  }

  marked(before: PairMark, now: PairMark): void {
    if (now.generation > before.generation) this.#promotions.inc();
    else if (before.promotable && !now.promotable) this.#standbyLost.inc();
  }

  failed({ type }: PairEffect): void {
    this.#failures.inc({ what: type });
  }
}
