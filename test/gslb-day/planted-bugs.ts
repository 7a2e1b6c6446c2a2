/** Mistakes that a ranking could have. The simulation has to miss a goal with each. */
import { rank } from "../../core/gslb/ranking.ts";
import { registryStep } from "../../core/regions/registry-step.ts";
import { type Parts, PRODUCTION } from "./day.ts";

interface PlantedBug {
  readonly name: string;
  readonly parts: Parts;
  /** The goal that it misses. */
  readonly misses: string;
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "load and full regions are ignored",
    misses: "a region over capacity",
    parts: {
      ...PRODUCTION,
      rank: (candidates, request) =>
        rank(
          candidates.map((one) => ({
            ...one,
            loadMs: 0,
            obstacle: one.obstacle === "full" ? undefined : one.obstacle,
          })),
          request,
        ),
    },
  },
  {
    name: "seats are counted by heartbeats only",
    misses: "a region over capacity",
    parts: {
      ...PRODUCTION,
      step: (state, event, nowMs) =>
        event.type === "seatGranted" ? [state, []] : registryStep(state, event, nowMs),
    },
  },
  {
    name: "home is ignored",
    misses: "flaps",
    parts: {
      ...PRODUCTION,
      rank: (candidates, request) => rank(candidates, { ...request, home: undefined }),
    },
  },
  {
    name: "measurements are ignored",
    misses: "added latency, p99",
    parts: {
      ...PRODUCTION,
      rank: (candidates, request) => rank(candidates, { ...request, roundTripsMs: undefined }),
    },
  },
  {
    name: "load counts far too much",
    misses: "added latency, p99",
    parts: {
      ...PRODUCTION,
      rank: (candidates, request) =>
        rank(
          candidates.map((one) => ({ ...one, loadMs: 300 * one.fullness })),
          request,
        ),
    },
  },
];
