/** What a campaign found of each promise, and how it is told. Pure. */
import { percentile } from "../../../loadtest/bench/benchmark.ts";
import type { Leg } from "../../../loadtest/followed/leg.ts";
import { brokenPromises } from "../../../loadtest/followed/passages.ts";
import { LEASE_MS } from "../../../shared/protocol/link.ts";
import type { Audit } from "../value/audit.ts";
import {
  isNoticed,
  mayLoseRooms,
  type PlayerFault,
  playerFaultText,
  rolledBackMsMax,
} from "./player-fault.ts";
import type { BlowOutcome } from "./scene.ts";

/** From the blow until an input comes back; past it a player is counted as late. */
export const RESUMED_WITHIN_MS = 6_000;
/** A region that woke up may show its rooms for as long as it may believe in its lease. */
const TWO_OWNERS_MS = LEASE_MS + 500;
const SHOWN_MAX = 10;

/** What became of one fault. */
export interface Finding {
  readonly fault: PlayerFault;
  readonly outcomes: readonly BlowOutcome[];
  /** What was promised and does not hold, in words. */
  readonly broken: readonly string[];
}

/** @param legs all that was seen in it */
export function findingOf(
  fault: PlayerFault,
  outcomes: readonly BlowOutcome[],
  legs: readonly Leg[],
): Finding {
  const { kind } = fault;
  const bounds = { rolledBackMs: rolledBackMsMax(kind), twoOwnersMs: TWO_OWNERS_MS };
  const broken = brokenPromises(legs, bounds);
  const struck = outcomes.flatMap((outcome) => outcome.struck);
  const lost = struck.filter((one) => one.kind === "lost").length;
  if (lost > 0 && !mayLoseRooms(kind)) broken.push(`${lost} players lost their room`);
  const away = struck.filter(({ resumed, kind: how }) => !resumed && how !== "lost").length;
  if (away > 0) broken.push(`${away} players were not back in time`);
  const disturbed = outcomes.reduce((sum, outcome) => sum + outcome.disturbed, 0);
  if (disturbed > 0) broken.push(`${disturbed} players of other regions were disturbed`);
  if (!isNoticed(kind) && struck.length > 0) {
    broken.push(`${struck.length} players noticed what nobody should`);
  }
  return { fault, outcomes, broken };
}

export function findingText({ fault, outcomes, broken }: Finding): string {
  const struck = outcomes.flatMap((outcome) => outcome.struck);
  const resumed = struck.filter((one) => one.resumed).length;
  const slowest = Math.max(0, ...struck.map(({ tookMs }) => tookMs ?? 0));
  const back = Math.max(0, ...struck.map(({ rolledBackMs }) => rolledBackMs));
  const what = `${resumed} of ${struck.length} resumed within ${slowest} ms, ${back} ms rolled back`;
  return [`${playerFaultText(fault)}: ${what}`, ...broken.slice(0, SHOWN_MAX)].join("\n    ✗ ");
}

export interface Summary {
  readonly faults: number;
  /** Players whose connection a fault broke, and what became of them. */
  readonly struck: number;
  readonly sameRoom: number;
  readonly lostExcused: number;
  readonly late: number;
  readonly resumedP50Ms: number;
  readonly resumedP99Ms: number;
  readonly rolledBackP99Ms: number;
  readonly rolledBackMaxMs: number;
  readonly documentLostP99Ms: number;
  readonly coins: number;
  readonly coinsLost: number;
  readonly coinsDoubled: number;
  readonly booksUnsound: number;
  readonly broken: number;
}

export function summaryOf(findings: readonly Finding[], audit: Audit): Summary {
  const outcomes = findings.flatMap((finding) => finding.outcomes);
  const struck = outcomes.flatMap((outcome) => outcome.struck);
  const sameRoom = struck.filter((one) => one.resumed);
  const took = outcomes
    .filter(({ timed }) => timed)
    .flatMap((outcome) => outcome.struck.flatMap(({ tookMs }) => tookMs ?? []));
  const excused = findings
    .filter(({ fault }) => mayLoseRooms(fault.kind))
    .flatMap((finding) => finding.outcomes.flatMap((outcome) => outcome.struck));
  const rolledBack = sameRoom.map(({ rolledBackMs }) => rolledBackMs);
  const documents = sameRoom.map(({ documentLostMs }) => documentLostMs);
  return {
    faults: findings.length,
    struck: struck.length,
    sameRoom: sameRoom.length,
    lostExcused: excused.filter(({ kind }) => kind === "lost").length,
    late: took.filter((ms) => ms > RESUMED_WITHIN_MS).length,
    resumedP50Ms: p(took, 50),
    resumedP99Ms: p(took, 99),
    rolledBackP99Ms: p(rolledBack, 99),
    rolledBackMaxMs: p(rolledBack, 100),
    documentLostP99Ms: p(documents, 99),
    coins: audit.promised,
    coinsLost: audit.lost.length,
    coinsDoubled: audit.doubled.length,
    booksUnsound: audit.unsound.length,
    broken: findings.reduce((sum, { broken }) => sum + broken.length, 0),
  };
}

/** One line for each promise. */
export function summaryText(summary: Summary): string {
  const { struck, sameRoom, lostExcused, late, coins, coinsLost, coinsDoubled, broken } = summary;
  const { resumedP50Ms, resumedP99Ms, rolledBackP99Ms, rolledBackMaxMs } = summary;
  return [
    `same room, same entity  ${sameRoom} of ${struck} players (${lostExcused} lost a room that had no copy yet)`,
    `resumed in time         p50 ${resumedP50Ms} ms, p99 ${resumedP99Ms} ms, ${late} later than ${RESUMED_WITHIN_MS} ms`,
    `score never further back  rolled back p99 ${rolledBackP99Ms} ms, most ${rolledBackMaxMs} ms`,
    `progress kept           documents lost p99 ${summary.documentLostP99Ms} ms of what was seen, nothing that was saved`,
    `every coin once         ${coins} coins: ${coinsLost} lost, ${coinsDoubled} doubled`,
    `broken promises         ${broken} in ${summary.faults} faults`,
  ].join("\n");
}

/** Whether every promise was kept. */
export function isKept({ broken, coinsLost, coinsDoubled, booksUnsound }: Summary): boolean {
  return broken + coinsLost + coinsDoubled + booksUnsound === 0;
}

/** 0 of none. */
function p(values: readonly number[], percent: number): number {
  return values.length === 0 ? 0 : Math.round(percentile(values, percent));
}
