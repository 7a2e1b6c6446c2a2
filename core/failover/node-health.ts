/**
 * A node's health between two verdicts. It gets worse at once, and better only after a calm, which doubles with each
 * lapse: however a node flickers, in an hour its health changes a bounded number of times. Pure.
 */
import type { Verdict } from "./verdict.ts";

export type NodeHealth = "healthy" | "suspect" | "isolated" | "down";

export interface HealthThresholds {
  /** How long a node that lapsed is heard without a break before it is healthy again, ms. */
  readonly calmMs: number;
  /** The calm doubles with each lapse, up to this, ms. */
  readonly calmMsMax: number;
  /** A node that was well for so long has no lapses any more, ms. */
  readonly lapsesMs: number;
}

export interface HealthRecord {
  readonly health: NodeHealth;
  /** Since when nothing is wrong with it; undefined while something is. */
  readonly wellSinceMs: number | undefined;
  readonly lapses: number;
}

export function healthyRecord(nowMs: number): HealthRecord {
  return { health: "healthy", wellSinceMs: nowMs, lapses: 0 };
}

/** @param nowMs monotonic */
export function healthAfter(
  before: HealthRecord,
  verdict: Verdict,
  nowMs: number,
  thresholds: HealthThresholds,
): HealthRecord {
  if (verdict === "well") return whenWell(before, nowMs, thresholds);
  const lapses = before.health === "healthy" ? before.lapses + 1 : before.lapses;
  return { health: worse(before.health, verdict), wellSinceMs: undefined, lapses };
}

function whenWell(
  { health, wellSinceMs = Number.NaN, lapses }: HealthRecord,
  nowMs: number,
  { calmMs, calmMsMax, lapsesMs }: HealthThresholds,
): HealthRecord {
  const sinceMs = Number.isNaN(wellSinceMs) ? nowMs : wellSinceMs;
  const calm = nowMs - sinceMs;
  if (health === "healthy") {
    return { health, wellSinceMs: sinceMs, lapses: calm >= lapsesMs ? 0 : lapses };
  }
  const neededMs = Math.min(calmMsMax, calmMs * 2 ** Math.max(0, lapses - 1));
  // Down was a verdict: a node that is heard again after it is not gone, but not to be trusted yet.
  const bound = health === "down" ? "suspect" : health;
  return { health: calm >= neededMs ? "healthy" : bound, wellSinceMs: sinceMs, lapses };
}

/** Doubt takes nothing back: who was isolated or down is so until it is known better. */
function worse(before: NodeHealth, verdict: Exclude<Verdict, "well">): NodeHealth {
  if (verdict === "refused" || verdict === "silent") return "down";
  if (verdict === "isolated") return "isolated";
  return before === "isolated" || before === "down" ? before : "suspect";
}
