/** Players log in, join and see their own entity, at a rate; each leaves after a moment. */
import "./engine/shims.ts";
import { pause } from "./engine/clock.ts";
import { Crowd, optionsOf, prepare } from "./engine/crowd.ts";
import { visit } from "./engine/lives.ts";
import { Parameters } from "./engine/parameters.ts";

const parameters = new Parameters("join");
const perS = parameters.number("RATE");
// Those who come in the time, whatever `PLAYERS` says of how many are there at once.
const players = Math.max(1, Math.round(perS * parameters.number("DURATION_S")));
const stayMs = parameters.number("STAY_S") * 1_000;

export const options = optionsOf(parameters, {
  finished: players,
  thresholds: { join_ms: ["p(95)<2000"] },
});

export function setup(): void {
  prepare(parameters);
}

export default async function join(): Promise<void> {
  const crowd = new Crowd(parameters);
  await crowd.arrive({
    count: players,
    perS,
    live: (player) => visit(player, { stay: () => pause(stayMs) }),
  });
  crowd.end();
}
