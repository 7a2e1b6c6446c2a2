/**
 * Long steady play: what the last tenth of it takes is held against the first. The servers' memory is watched by
 * whoever runs this, because k6 sees none of it.
 */
import { check } from "k6";
import "./engine/shims.ts";
import { pauseUntil } from "./engine/clock.ts";
import { Crowd, optionsOf, prepare } from "./engine/crowd.ts";
import { Drift } from "./engine/drift.ts";
import { visit } from "./engine/lives.ts";
import { Parameters } from "./engine/parameters.ts";

const parameters = new Parameters("soak");
const players = parameters.count("PLAYERS");
const perS = parameters.number("RATE");
const durationMs = parameters.number("DURATION_S") * 1_000;
const driftMax = parameters.number("DRIFT_MAX");

export const options = optionsOf(parameters, {
  finished: players,
  thresholds: { input_echo_ms: ["p(95)<500"] },
});

export function setup(): void {
  prepare(parameters);
}

export default async function soak(): Promise<void> {
  const crowd = new Crowd(parameters);
  const fromMs = Date.now() + (players * 1_000) / perS;
  const untilMs = fromMs + durationMs;
  const drift = new Drift(fromMs, durationMs);
  await crowd.arrive({
    count: players,
    perS,
    more: { sampled: (echoMs) => drift.add(echoMs, Date.now()) },
    live: (player) => visit(player, { stay: () => pauseUntil(untilMs) }),
  });
  check(drift, { "is as fast at the end as at the beginning": ({ factor }) => factor <= driftMax });
  console.log(
    `input_echo_ms of the last tenth is ${drift.factor.toFixed(2)} times that of the first`,
  );
  crowd.end();
}
