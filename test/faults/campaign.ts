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
import { auditDiariesAtRest, auditDiariesNow, auditNow } from "./audits.ts";
import * as checks from "./checks.ts";
import { type Fault, faultText, inSeconds, wavesOf } from "./fault.ts";
import { type Audit, auditText } from "./value/audit.ts";
import { type DiaryAudit, diaryAuditText } from "./value/diary-audit.ts";
import { Traders } from "./value/traders.ts";
import { WatchedPlayers } from "./watched-players.ts";
import { type Crowd, type Outcome, Waves } from "./waves.ts";

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
  const waves = new Waves(world, crowd);
  await waves.allAtHome();
  for (const wave of wavesOf(faults)) {
    const before = outcomes.length;
    const last = before + wave.length;
    try {
      for (const outcome of await waves.survive(wave)) {
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
  await waves.repaired();
  return outcomes;
}

function outcomeText({ fault, hit, tookMs }: Outcome): string {
  return `${faultText(fault)}: ${hit} players hit, at play again after ${inSeconds(tookMs)}`;
}
