/** Deciding where a player belongs: the bare ranking on one core, and asked over HTTP. */
import type { Benchmark } from "../benchmark.ts";
import { interruption } from "../interruption.ts";
import { measureDecisions } from "./decisions.ts";
import { measureHttp } from "./http-routes.ts";

export const routeBenchmark: Benchmark = {
  name: "route",
  description: "ranking 30 regions against sorting distances, and over HTTP against a bare Fastify",
  async run(options) {
    const signal = interruption();
    const decisions = measureDecisions(options);
    return { ...decisions, ...(await measureHttp(options, signal)) };
  },
};
