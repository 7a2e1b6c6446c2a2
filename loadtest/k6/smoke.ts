/** A few players do everything once, one after the other: log in, join, play, leave, come back. */
import "./engine/shims.ts";
import { pause } from "./engine/clock.ts";
import { Crowd, optionsOf, prepare } from "./engine/crowd.ts";
import { enter, leave, visit } from "./engine/lives.ts";
import { Parameters } from "./engine/parameters.ts";

const parameters = new Parameters("smoke");
const players = parameters.count("PLAYERS");
const stayMs = parameters.number("DURATION_S") * 1_000;

export const options = optionsOf(parameters, {
  finished: players,
  thresholds: { input_echo_ms: ["p(95)<1000"] },
});

export function setup(): void {
  prepare(parameters);
}

export default async function smoke(): Promise<void> {
  const crowd = new Crowd(parameters);
  await crowd.arrive({
    count: players,
    perS: 2,
    live: async (player) => {
      await visit(player, { stay: () => pause(stayMs) });
      // As the same guest, with what the first visit brought.
      if (player.sawNoWrong && (await enter(player))) await leave(player);
    },
  });
  crowd.end();
}
