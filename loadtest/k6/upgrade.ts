/**
 * Nodes are replaced one by one, by whoever runs this, while some play and others come and go: nobody is cut off
 * without a word, everybody is carried along, and no join fails.
 */
import "./engine/shims.ts";
import { pause, pauseUntil } from "./engine/clock.ts";
import { Crowd, optionsOf, prepare } from "./engine/crowd.ts";
import { visit } from "./engine/lives.ts";
import { Parameters } from "./engine/parameters.ts";

const parameters = new Parameters("upgrade");
const players = parameters.count("PLAYERS");
const perS = parameters.number("RATE");
const durationS = parameters.number("DURATION_S");
const newcomersPerS = parameters.number("NEWCOMERS_PER_S");
const newcomers = Math.floor(newcomersPerS * durationS);
const stayMs = parameters.number("STAY_S") * 1_000;

export const options = optionsOf(parameters, {
  finished: players + newcomers,
  thresholds: {
    join_ms: ["p(95)<5000"],
    downtime_ms: ["p(99)<2000"],
    ...(parameters.number("MOVES") > 0 && { players_moved: ["count>0"] }),
  },
});

export function setup(): void {
  prepare(parameters);
}

export default async function upgrade(): Promise<void> {
  const crowd = new Crowd(parameters);
  const untilMs = Date.now() + (players * 1_000) / perS + durationS * 1_000;
  await Promise.all([
    crowd.arrive({
      count: players,
      perS,
      live: (player) => visit(player, { stay: () => pauseUntil(untilMs) }),
    }),
    crowd.arrive({
      first: players,
      count: newcomers,
      perS: Math.max(newcomersPerS, 0.001),
      live: (player) => visit(player, { stay: () => pause(stayMs) }),
    }),
  ]);
  crowd.end();
}
