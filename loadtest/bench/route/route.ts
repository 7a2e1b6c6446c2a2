/** Deciding where a player belongs: the bare ranking on one core, and asked over HTTP and DNS. */
import type { Benchmark } from "../benchmark.ts";
import { interruption } from "../interruption.ts";
import { measureDecisions } from "./decisions.ts";
import { measureDns } from "./dns.ts";
import { measureHttp } from "./http-routes.ts";

export const routeBenchmark: Benchmark = {
  name: "route",
  description:
    "ranking 30 regions: alone, over HTTP and DNS, each against a floor; how soon a drain is seen",
  goals: [
    {
      figure: "decisionsPerS",
      words: "rankings of 30 regions a second on one core",
      atLeast: 100_000,
    },
    {
      figure: "decisionsMeasuredPerS",
      words: "the same with clients' measurements",
      atLeast: 100_000,
    },
    {
      figure: "drainVisibleMs",
      words: "until a drained region is gone from DNS, worst",
      unit: "ms",
      atMost: 1_000,
    },
  ],
  async run(options) {
    const signal = interruption();
    const decisions = measureDecisions(options);
    const http = await measureHttp(options, signal);
    return { ...decisions, ...http, ...(await measureDns(options, signal)) };
  },
};
