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
  async run(options) {
    const signal = interruption();
    const decisions = measureDecisions(options);
    const http = await measureHttp(options, signal);
    return { ...decisions, ...http, ...(await measureDns(options, signal)) };
  },
};
