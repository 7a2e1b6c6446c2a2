/**
 * A queue of real clients in front of a full region, and the loss of what keeps it: SIGKILL of the core, of its
 * Redis, or of both. Compares every client's place before and after, and who is let in afterwards.
 */

import type { LocalWorld } from "../../infra/local/world.ts";
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import { until } from "../until.ts";
import { Crowd, numberOf } from "./crowd.ts";

export const GAME = "arena";
/** As many seats as the players who fill them. */
export const SEATS = 2;
/** Who is called first after the loss, so many of them. */
const CALLS_WATCHED = 20;

export const KILLS = ["core", "redis", "both"] as const;
export type Kill = (typeof KILLS)[number];

/** Settings of the world; beside what the machine needs to make so many accounts at once. */
export const ENV = {
  REGION_CAPACITY: String(SEATS),
  ADMISSION_HEADROOM: "0",
  GUESTS_PER_PREFIX_PER_SECOND: "100000",
  GUESTS_PER_PREFIX_BURST: "100000",
  GUESTS_PER_SECOND: "100000",
  GUESTS_BURST: "100000",
  QUEUE_POLLS_PER_SECOND: "1500",
  LOG_LEVEL: "warn",
} as const;

export interface LossReport {
  readonly kill: Kill;
  readonly clients: number;
  /** Clients whose number is another one than before, or who have none. */
  readonly changed: number;
  readonly lost: number;
  /** From the kill until the last client had its place again, ms. */
  readonly backMs: number;
  /** How many had their place again when the first was called. */
  readonly heardAtFirstCall: number;
  /** Calls after the loss that passed somebody. */
  readonly passed: number;
  readonly calls: number;
}

export interface LossOptions {
  readonly world: LocalWorld;
  readonly clients: number;
  readonly kill: Kill;
  readonly random: () => number;
  readonly progress: (line: string) => void;
  /** How long all may take to come back, ms. */
  readonly deadlineMs: number;
}

export async function loseQueue(options: LossOptions): Promise<LossReport> {
  const { world, clients, kill, random, progress, deadlineMs } = options;
  const seated = await Promise.all(Array.from({ length: SEATS }, () => joined(world)));
  const crowd = new Crowd({ url: world.core.url, game: GAME, random, progress });
  try {
    await crowd.join(clients);
    const before = new Map(crowd.clients.map((client) => [client, numberOf(client)]));
    progress(`${clients} wait; killing ${kill}`);
    const killedMs = performance.now();
    await strike(world, kill);
    crowd.watch();
    // A seat is free at once: nobody may have it before everybody had the time to come back.
    await seated[0]?.leave();
    let heardAtFirstCall = -1;
    await until(
      "everybody has a place again",
      () => {
        if (heardAtFirstCall < 0 && crowd.called.length > 0) heardAtFirstCall = crowd.heard;
        return crowd.heard + crowd.lost.length >= clients;
      },
      deadlineMs,
    );
    const backMs = performance.now() - killedMs;
    progress(`${crowd.heard} have their place again after ${Math.round(backMs)} ms`);
    const wanted = Math.min(CALLS_WATCHED, clients);
    await until("the first are called", () => crowd.called.length >= wanted, deadlineMs);
    if (heardAtFirstCall < 0) heardAtFirstCall = crowd.heard;
    const changed = crowd.clients.filter((one) => numberOf(one) !== before.get(one)).length;
    const inOrder = [...before.values()].sort((a, b) => a - b);
    const passed = crowd.called.filter((number, at) => number !== inOrder[at]).length;
    return {
      kill,
      clients,
      changed,
      lost: crowd.lost.length,
      backMs: Math.round(backMs),
      heardAtFirstCall,
      passed,
      calls: crowd.called.length,
    };
  } finally {
    await crowd.stop();
    await Promise.all(seated.map((play) => play.leave()));
  }
}

async function strike({ core, coreRedis }: LocalWorld, kill: Kill): Promise<void> {
  const struck = [kill === "redis" ? undefined : core, kill === "core" ? undefined : coreRedis];
  const parts = struck.flatMap((part) => part ?? []);
  for (const part of parts) part.kill("SIGKILL");
  await Promise.all(parts.map((part) => until("it has ended", () => part.pid === undefined)));
  // What was lost is away for a moment, as it would be; the core starts beside a Redis that is empty.
  for (const part of parts.toReversed()) await part.restart();
}

async function joined(world: LocalWorld): Promise<Play<ArenaState>> {
  const meridian = new Meridian({ url: world.core.url });
  await meridian.logIn({ name: "Seated" });
  return await meridian.join<ArenaState>(GAME);
}
