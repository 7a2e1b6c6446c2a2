/** Players play for a time, and what each sees is held against the rules. */
import "./engine/shims.ts";
import { pauseUntil } from "./engine/clock.ts";
import { Crowd, optionsOf, prepare } from "./engine/crowd.ts";
import { visit } from "./engine/lives.ts";
import { Parameters } from "./engine/parameters.ts";

const parameters = new Parameters("steady-play");
const players = parameters.count("PLAYERS");
const perS = parameters.number("RATE");
const stayMs = parameters.number("DURATION_S") * 1_000;

export const options = optionsOf(parameters, {
  finished: players,
  thresholds: { input_echo_ms: ["p(95)<500"], join_ms: ["p(95)<5000"] },
});

export function setup(): void {
  prepare(parameters);
}

export default async function steadyPlay(): Promise<void> {
  const crowd = new Crowd(parameters);
  const untilMs = Date.now() + (players * 1_000) / perS + stayMs;
  await crowd.arrive({
    count: players,
    perS,
    live: (player) => visit(player, { stay: () => pauseUntil(untilMs) }),
  });
  crowd.end();
}
