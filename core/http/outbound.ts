/**
 * The breakers of the core's calls to others, under one metric. What each call has besides (deadline, queue) is
 * in the table of ARCHITECTURE.md; the database's breaker is in `db/reachability.ts`.
 */
import { Breaker } from "../../shared/link/breaker.ts";
import { Gauge, type Metrics } from "../../shared/metrics.ts";

interface Watched {
  readonly to: string;
  readonly open: () => number;
}

export class Outbound {
  readonly #watched: Watched[] = [];

  constructor(metrics: Metrics) {
    const watched = this.#watched;
    new Gauge({
      name: "meridian_breakers_open",
      help: "Others that the core has given up calling for the moment, because several calls in a row failed.",
      labelNames: ["to"],
      registers: [metrics],
      collect() {
        this.reset();
        for (const { to, open } of watched) this.inc({ to }, open());
      },
    });
  }

  /** @param openMs how long a call goes nowhere, until one may try again */
  breaker(to: string, failuresMax: number, openMs: number): Breaker {
    const breaker = new Breaker(failuresMax, openMs);
    this.watch(to, () => (breaker.open ? 1 : 0));
    return breaker;
  }

  /** @param open how many breakers of that kind are open now */
  watch(to: string, open: () => number): void {
    this.#watched.push({ to, open });
  }
}
