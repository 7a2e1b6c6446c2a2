/**
 * Lets one wave of faults after another strike, each with its invariants. A region that starts again takes
 * seconds, and nobody is in it yet: what needs nobody to move strikes meanwhile, and everything else waits.
 */
import type { LocalWorld } from "../../infra/local/world.ts";
import { systemClock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import * as checks from "./checks.ts";
import { type Fault, isQuietFor } from "./fault.ts";
import { repair, type Scene, strike } from "./strike.ts";
import type { Traders } from "./value/traders.ts";
import type { WatchedPlayer, WatchedPlayers } from "./watched-players.ts";

export interface Crowd {
  readonly players: WatchedPlayers;
  readonly traders: Traders;
}

/** What became of one fault. */
export interface Outcome {
  readonly fault: Fault;
  /** How many players it concerned. */
  readonly hit: number;
  /** From the fault until all of them were at play again, ms. */
  readonly tookMs: number;
}

export class Waves {
  readonly #world: LocalWorld;
  readonly #crowd: Crowd;
  /** Regions that start again, and when they have. */
  #down: ReadonlySet<RegionId> = new Set();
  #repairing: Promise<void> = Promise.resolve();

  constructor(world: LocalWorld, crowd: Crowd) {
    this.#world = world;
    this.#crowd = crowd;
  }

  /** Every region is there, and everybody plays where they belong: also before the first wave. */
  async allAtHome(): Promise<void> {
    await this.repaired();
    await bringHome(this.#crowd);
  }

  /** @throws {Violation} for the first invariant that does not hold */
  async survive(wave: readonly Fault[]): Promise<Outcome[]> {
    const { players, traders } = this.#crowd;
    const isQuiet = isQuietFor(wave, this.#down);
    if (!isQuiet) await this.allAtHome();
    for (const player of players.all) player.forget();
    const struck = wave.map((fault) => ({ fault, hit: hitBy(fault, players) }));
    const common = { world: this.#world, players, traders };
    const outcomes = await allOf(
      struck.map(({ fault, hit }) => outcomeOf(fault, { ...common, hit })),
    );
    const hit = new Set(struck.flatMap((one) => one.hit));
    if (!isQuiet) this.#startAgain();
    await this.#settled(hit);
    return outcomes;
  }

  /** Every region is there, and takes players. */
  async repaired(): Promise<void> {
    await this.#repairing;
    // Quiet waves may have troubled others since.
    await repair(this.#world);
    this.#down = new Set();
    this.#crowd.players.closed.clear();
  }

  #startAgain(): void {
    const down = [...this.#world.regions].filter(([, { pid }]) => pid === undefined);
    this.#down = new Set(down.map(([regionId]) => regionId));
    this.#repairing = repair(this.#world);
    // Whoever waits for it hears of its failure.
    this.#repairing.catch(() => {});
  }

  async #settled(hit: ReadonlySet<WatchedPlayer>): Promise<void> {
    const { players, traders } = this.#crowd;
    await checks.allPlay([...players.all, ...traders.all]);
    checks.requireUndisturbed(players.all.filter((player) => !hit.has(player)));
    const online = { players: players.all, traders: traders.all };
    // Where nobody had to move there is nothing that could still be moving.
    if (hit.size > 0) await checks.sessionsSettle(this.#world, online);
    else await checks.sessionsCount(this.#world, online);
  }
}

async function outcomeOf(fault: Fault, scene: Scene): Promise<Outcome> {
  const beganMs = systemClock.monotonicMs();
  await strike(fault, scene);
  return { fault, hit: scene.hit.length, tookMs: systemClock.monotonicMs() - beganMs };
}

/** As `Promise.all`, and nothing goes on once it has failed. */
async function allOf<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

/** Those whom a fault may disturb. */
function hitBy(fault: Fault, players: WatchedPlayers): WatchedPlayer[] {
  switch (fault.kind) {
    case "kill-core":
    case "kill-leader":
    case "kill-cores":
      return players.oneOfEachRegion;
    case "kill-region":
    case "replace-region":
    case "stop-region":
    case "drain-region":
      return players.in(fault.regionId);
    default:
      return [];
  }
}

/** Whoever a former fault drove away goes back, as a player who leaves one room for another. */
async function bringHome({ players, traders }: Crowd): Promise<void> {
  await checks.allPlay(players.all);
  for (const trader of traders.all) trader.goHome();
  const away = players.all.filter(({ regionId, home }) => regionId !== home);
  await Promise.all(away.map(({ bot }) => bot.leaveRoom()));
  await checks.allAtHome(players.all);
}
