/** How the operators' command shows the queue and openings. Pure. */
import type { OpeningInfo } from "../../shared/protocol/openings.ts";
import type { QueueStatus, QueueStatusAnswer } from "../../shared/protocol/ops.ts";
import { counted, iso, table } from "./cli-text.ts";

const HEADER = [
  "REGION",
  "WAITING",
  "CALLED",
  "LET IN",
  "LAST ONE WAITS",
  "FREE",
  "FOR EVERYONE",
  "HELD",
  "STATE",
  "BY CLASS",
];

export function queueText({ coreTimeMs, players, regions }: QueueStatusAnswer): string {
  const head = `${counted(players, "player")} ${players === 1 ? "has" : "have"} a place in the queue`;
  return `${head}\n\n${table([HEADER, ...regions.map((region) => rowOf(region, coreTimeMs))])}`;
}

export function openingText({ regionId, opensAtMs, commitment }: OpeningInfo): string {
  return (
    `${regionId} opens at ${iso(opensAtMs)}; nobody is let in before.\n` +
    `SHA-256 of the seed, to be told to everybody: ${commitment}`
  );
}

export function openingsText(openings: readonly OpeningInfo[]): string {
  if (openings.length === 0) return "No opening is to come, and none was in the last days.";
  const rows = openings.map(({ regionId, opensAtMs, commitment, draw }) => {
    return [regionId, iso(opensAtMs), draw ? "open" : "to come", commitment, draw?.seed ?? "-"];
  });
  return table([["REGION", "OPENS AT", "STATE", "SHA-256 OF THE SEED", "SEED"], ...rows]);
}

function rowOf(region: QueueStatus, nowMs: number): string[] {
  const { waiting, called, letInPerSecond, eta, seats, held } = region;
  const some = waiting.filter(({ players }) => players > 0);
  const players = waiting.reduce((sum, one) => sum + one.players, called);
  return [
    region.regionId,
    String(players),
    String(called),
    `${letInPerSecond.toFixed(1)}/s`,
    players === 0 ? "-" : eta ? `${seconds(eta.lowMs)} to ${seconds(eta.highMs)}` : "not known",
    seats ? String(seats.free) : "not known",
    seats ? `${seats.forEveryone} of ${seats.limit}` : "-",
    String(held),
    stateOf(region, nowMs),
    some.map((one) => `${one.class} ${one.players}`).join(", ") || "-",
  ];
}

function stateOf({ pausedUntilMs, opensAtMs }: QueueStatus, nowMs: number): string {
  if (opensAtMs !== null) return `opens at ${iso(opensAtMs)}`;
  if (pausedUntilMs !== null) return `paused for ${seconds(pausedUntilMs - nowMs)}`;
  return "open";
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`;
}
