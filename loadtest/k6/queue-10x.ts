/**
 * Ten times as many players as there are seats come at once. Each waits, plays for a moment and leaves, so that all get
 * in: in their order, nobody refused who was called, and no place ever goes back.
 */
import "./engine/shims.ts";
import { pause } from "./engine/clock.ts";
import { Crowd, optionsOf, prepare } from "./engine/crowd.ts";
import { visit } from "./engine/lives.ts";
import { failed } from "./engine/metrics.ts";
import { Parameters } from "./engine/parameters.ts";
import { QueueOrder, type QueueWatch } from "./player/queue-order.ts";

const parameters = new Parameters("queue-10x");
const players = parameters.number("PLAYERS") || 10 * parameters.count("SEATS");
const waitMs = parameters.number("DURATION_S") * 1_000;
const stayMs = parameters.number("STAY_S") * 1_000;

export const options = optionsOf(parameters, {
  finished: players,
  // Where nobody had to wait nothing was shown.
  thresholds: { players_queued: ["count>0"] },
});

export function setup(): void {
  prepare(parameters);
}

export default async function queue10x(): Promise<void> {
  const crowd = new Crowd(parameters);
  const order = new QueueOrder();
  const queueWatch: QueueWatch = {
    heard: (place, askedAtMs) => {
      for (const { kind, words } of order.heard(place, askedAtMs, Date.now())) failed(kind, words);
    },
  };
  await crowd.arrive({
    count: players,
    perS: parameters.number("RATE"),
    more: { queueWatch },
    live: (player) => visit(player, { stay: () => pause(stayMs), waitMs }),
  });
  crowd.end();
}
