/**
 * A campaign: one wave of faults after another in a running world with players in it. Around each wave
 * stand the same steps, and the first invariant that does not hold ends it all:
 *
 *     all at home → strike: fault, told, noticed, at play again → repair, all play, sessions settle
 *
 * All the while other players make operations on money and items, and notes. What they were told is held
 * against the database at the end, and now and then before.
 */
import { fileURLToPath } from "node:url";
import type { LocalWorld } from "../../infra/local/world.ts";
import { systemClock } from "../../shared/clock.ts";
import { auditDiariesAtRest, auditDiariesNow, auditNow } from "./audits.ts";
import * as checks from "./checks.ts";
import { type Fault, faultText, inSeconds, wavesOf } from "./fault.ts";
import { repair, type Scene, strike } from "./strike.ts";
import { type Audit, auditText } from "./value/audit.ts";
import { type DiaryAudit, diaryAuditText } from "./value/diary-audit.ts";
import { Traders } from "./value/traders.ts";
import { type WatchedPlayer, WatchedPlayers } from "./watched-players.ts";

export interface CampaignOptions {
  /** With `WORLD_OPTIONS`. */
  readonly world: LocalWorld;
  readonly faults: readonly Fault[];
  readonly playersPerRegion: number;
  readonly tradersPerRegion: number;
  /** Of the players' dice. */
  readonly seed: number;
  /** Told one line for each fault that was survived. */
  readonly say: (line: string) => void;
}

/** What became of one fault. */
export interface Outcome {
  readonly fault: Fault;
  /** How many players it concerned. */
  readonly hit: number;
  /** From the fault until all of them were at play again, ms. */
  readonly tookMs: number;
}

export interface CampaignResult {
  readonly outcomes: readonly Outcome[];
  readonly audit: Audit;
  readonly diaries: DiaryAudit;
}

/** What a world must be started with for a campaign to run in it. */
export const WORLD_OPTIONS = {
  breakableLinks: true,
  env: {
    GAMES_FILE: fileURLToPath(new URL("value/treasury-games.ts", import.meta.url)),
    LOG_LEVEL: "warn",
  },
} as const;

/** An audit reads all that there is. */
const FAULTS_PER_AUDIT = 100;

/** A wave that broke an invariant, or could not be repaired. */
export class FaultFailure extends Error {
  /** Of its last fault, from 1. */
  readonly number: number;

  constructor(wave: readonly Fault[], number: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`fault ${number} (${wave.map(faultText).join(", ")}): ${why}`, { cause });
    this.name = "FaultFailure";
    this.number = number;
  }
}

interface Crowd {
  readonly players: WatchedPlayers;
  readonly traders: Traders;
}

/**
 * @throws {FaultFailure} at the first fault that the world did not survive as it should
 * @throws {Violation} when something of value is lost or doubled at the end
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { world } = options;
  const crowd = crowdOf(options);
  const end = new AbortController();
  const ended = Promise.all([crowd.players.run(end.signal), crowd.traders.run(end.signal)]);
  let outcomes: Outcome[];
  try {
    outcomes = await surviveAll(options, crowd);
  } finally {
    end.abort();
    await ended;
  }
  await checks.sessionsSettle(world, { players: [], traders: [] });
  const found = await auditNow(world, crowd.traders);
  options.say(auditText(found));
  const diaries = await auditDiariesAtRest(world, crowd.traders);
  options.say(diaryAuditText(diaries));
  return { outcomes, audit: found, diaries };
}

function crowdOf({ world, playersPerRegion, tradersPerRegion, seed }: CampaignOptions): Crowd {
  const common = { url: world.core.url, regionIds: [...world.regions.keys()], seed };
  const players = new WatchedPlayers({ ...common, perRegion: playersPerRegion });
  const { closed } = players;
  return { players, traders: new Traders({ ...common, perRegion: tradersPerRegion, closed }) };
}

async function surviveAll(options: CampaignOptions, crowd: Crowd): Promise<Outcome[]> {
  const { world, faults, say } = options;
  const outcomes: Outcome[] = [];
  for (const wave of wavesOf(faults)) {
    const before = outcomes.length;
    const last = before + wave.length;
    try {
      for (const outcome of await survive(wave, world, crowd)) {
        outcomes.push(outcome);
        say(`${outcomes.length}/${faults.length} ${outcomeText(outcome)}`);
      }
      if (Math.floor(before / FAULTS_PER_AUDIT) === Math.floor(last / FAULTS_PER_AUDIT)) continue;
      say(auditText(await auditNow(world, crowd.traders)));
      say(diaryAuditText(await auditDiariesNow(world, crowd.traders)));
    } catch (cause) {
      throw new FaultFailure(wave, last, cause);
    }
  }
  return outcomes;
}

function outcomeText({ fault, hit, tookMs }: Outcome): string {
  return `${faultText(fault)}: ${hit} players hit, at play again after ${inSeconds(tookMs)}`;
}

async function survive(
  wave: readonly Fault[],
  world: LocalWorld,
  crowd: Crowd,
): Promise<Outcome[]> {
  const { players, traders } = crowd;
  await bringHome(crowd);
  for (const player of players.all) player.forget();
  const struck = wave.map((fault) => ({ fault, hit: hitBy(fault, players) }));
  const hit = new Set(struck.flatMap((one) => one.hit));
  const outcomes = await allOf(
    struck.map((one) => surviveOne(one.fault, { world, players, traders, hit: one.hit })),
  );
  const settled = async () => {
    await checks.allPlay([...players.all, ...traders.all]);
    checks.requireUndisturbed(players.all.filter((player) => !hit.has(player)));
    const online = { players: players.all, traders: traders.all };
    // Where nobody had to move there is nothing that could still be moving.
    await (hit.size > 0
      ? checks.sessionsSettle(world, online)
      : checks.sessionsCount(world, online));
  };
  // A region that starts again has nobody yet: the others settle meanwhile.
  await allOf([repair(world), settled()]);
  players.closed.clear();
  return outcomes;
}

async function surviveOne(fault: Fault, scene: Scene): Promise<Outcome> {
  const beganMs = systemClock.monotonicMs();
  await strike(fault, scene);
  const tookMs = systemClock.monotonicMs() - beganMs;
  return { fault, hit: scene.hit.length, tookMs };
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
