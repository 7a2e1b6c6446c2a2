/**
 * The players' region is killed, or evacuated, in mid-run by whoever runs this: every player has to be back in the
 * room, see its own entity and have an input of its own come back. How long that took, from the last frame before, is
 * `downtime_ms`.
 */
import "./engine/shims.ts";
import { pause } from "./engine/clock.ts";
import { Crowd, optionsOf, prepare } from "./engine/crowd.ts";
import { visit } from "./engine/lives.ts";
import { Parameters } from "./engine/parameters.ts";
import type { Player } from "./player/player.ts";

const parameters = new Parameters("failover-drill");
const players = parameters.count("PLAYERS");
const perS = parameters.number("RATE");
const afterMs = parameters.number("AFTER_S") * 1_000;
/** Told once, for whoever is to strike. */
const READY = "everybody plays: the region may be killed, or evacuated, now";
const LOOK_EVERY_MS = 250;
const stayMs = parameters.number("DURATION_S") * 1_000;

export const options = optionsOf(parameters, {
  finished: players,
  thresholds: {
    downtime_ms: [`p(99)<${parameters.number("DOWNTIME_P99_MS")}`],
    // A drill in which nobody has to move shows nothing.
    ...(parameters.number("MOVES") > 0 && { players_moved: ["count>0"] }),
  },
});

export function setup(): void {
  prepare(parameters);
}

export default async function failoverDrill(): Promise<void> {
  const crowd = new Crowd(parameters);
  const untilMs = Date.now() + (players * 1_000) / perS + stayMs;
  const over = drillIsOver(crowd, untilMs);
  await crowd.arrive({
    count: players,
    perS,
    live: (player) => visit(player, { stay: () => over }),
  });
  crowd.end();
}

/** At the moment, or some time after everybody has been moved; or when nobody plays any more. */
async function drillIsOver(crowd: Crowd, untilMs: number): Promise<void> {
  const all = (isSo: (player: Player) => boolean) =>
    crowd.players.size > 0 && [...crowd.players].every(isSo);
  let begun = false;
  while (Date.now() < untilMs && !crowd.hasEnded) {
    if (!begun && crowd.haveAllCome && all(({ isEchoed }) => isEchoed)) {
      begun = true;
      console.log(READY);
    }
    if (begun && all(({ moves, isEchoed }) => moves > 0 && isEchoed)) break;
    await pause(LOOK_EVERY_MS);
  }
  if (!crowd.hasEnded) await pause(Math.min(afterMs, untilMs - Date.now()));
}
