/**
 * Steady play, then joins at ten times the rate. Who plays must not notice it. Who comes in the spike gets a seat, or a
 * place in the queue, or is told when to come back.
 */
import { check } from "k6";
import "./engine/shims.ts";
import { pause, pauseUntil } from "./engine/clock.ts";
import { Crowd, optionsOf, prepare } from "./engine/crowd.ts";
import { leave, visit } from "./engine/lives.ts";
import { metrics } from "./engine/metrics.ts";
import { Parameters } from "./engine/parameters.ts";
import type { Player } from "./player/player.ts";

const parameters = new Parameters("spike");
const players = parameters.count("PLAYERS");
const perS = parameters.number("RATE");
const calmMs = parameters.number("DURATION_S") * 500;
const spikeMs = parameters.number("SPIKE_S") * 1_000;
const stayMs = parameters.number("STAY_S") * 1_000;
const spikePerS = perS * 10;
const comers = Math.ceil((spikePerS * spikeMs) / 1_000);

export const options = optionsOf(parameters, {
  finished: players + comers,
  thresholds: {
    input_echo_ms: ["p(95)<500"],
    spike_echo_ms: ["p(95)<1000"],
    join_ms: ["p(95)<5000"],
  },
});

export function setup(): void {
  prepare(parameters);
}

export default async function spike(): Promise<void> {
  const crowd = new Crowd(parameters);
  const fromMs = Date.now() + (players * 1_000) / perS + calmMs;
  const overMs = fromMs + spikeMs;
  const untilMs = overMs + calmMs;
  const sampled = (echoMs: number) => {
    const nowMs = Date.now();
    if (nowMs >= fromMs && nowMs <= overMs) metrics.spikeEchoMs.add(echoMs);
  };
  const live = (player: Player) => visit(player, { stay: () => pauseUntil(untilMs) });
  await Promise.all([
    crowd.arrive({ count: players, perS, more: { sampled }, live }),
    comeAt(fromMs, crowd),
  ]);
  crowd.end();
}

async function comeAt(fromMs: number, crowd: Crowd): Promise<void> {
  await pause(fromMs - Date.now());
  await crowd.arrive({
    first: players,
    count: comers,
    perS: spikePerS,
    live: async (player) => {
      const entry = (await player.logIn()) ? await player.join(stayMs) : "failed";
      check(entry, { "comes in, or waits": (is) => is !== "failed" });
      if (entry === "in") await player.play(pause(stayMs));
      await leave(player);
    },
  });
}
