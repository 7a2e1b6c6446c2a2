/** A decision in words, with its numbers: for operators, logs and hooks. Pure. */
import { comingOf, type Need, type RegionScaling, type ScalingSettings } from "./scaling-step.ts";

/** @param nowMs monotonic, as the decision's times are */
export function explain(scaling: RegionScaling, settings: ScalingSettings, nowMs: number): string {
  const { need, reason, wanted, bounds, leftAlone } = scaling;
  if (!need) return `${nodes(wanted)}, left as it is: ${leftAlone ?? "not looked at"}.`;
  const facts = factsOf(need, settings);
  switch (reason) {
    case "load":
    case "queue":
    case "trend":
      return `${nodes(wanted)}: ${facts}`;
    case "n_plus_1":
      return `${nodes(wanted)}, so that nobody is lost with a region or node: ${facts}`;
    case "minimum":
      return `${nodes(wanted)}, the fewest allowed, though ${need.up} would do: ${facts}`;
    case "maximum":
      return `${nodes(wanted)}, the most allowed, though ${need.up} are needed: ${facts}`;
    case "cool_down":
      return `${nodes(wanted)} still, though ${fewer(scaling)} would do: one goes after ${left(scaling, settings, nowMs)} of calm. ${facts}`;
    case "calm":
      return `${nodes(wanted)}, one fewer: ${fewer(scaling)} have sufficed for ${seconds(settings.coolDownMs)}. ${facts}`;
    case "bounds":
      return `${nodes(wanted)}: the bounds are ${bounds.min} to ${bounds.max} now. ${facts}`;
    case "steady":
    case "left_alone":
      return `${nodes(wanted)}, as it was: ${facts}`;
  }
}

function factsOf(need: Need, settings: ScalingSettings): string {
  const { players, waiting, growthPerS, seatsPerNode, headroom, forEveryone, spare } = need;
  const coming = Math.round(comingOf(growthPerS, settings));
  const come =
    coming > 0 ? `, ${coming} more before a node is up (${growthPerS.toFixed(1)}/s)` : "";
  const free = headroom > 0 ? `, ${percent(headroom)} of them kept free for lost regions` : "";
  const all =
    `${players} play, ${waiting} wait${come}; at ${percent(settings.fill)} of ` +
    `${Math.floor(seatsPerNode)} seats a node${free} they take ${nodes(forEveryone)}.`;
  if (!settings.nPlusOne || spare === 0) return all;
  return `${all} ${lossOf(need)}, which takes ${nodes(spare)}.`;
}

function lossOf({ guests }: Need): string {
  if (!guests) return "No other region would take its players: one node more must be there";
  return `If ${guests.from} is lost, ${Math.ceil(guests.players)} of its players come`;
}

function fewer({ need, bounds }: RegionScaling): number {
  return Math.max(bounds.min, Math.min(bounds.max, need?.down ?? 0));
}

function left(
  { changedMs, calmSinceMs }: RegionScaling,
  { coolDownMs }: ScalingSettings,
  nowMs: number,
): string {
  return seconds(Math.max(0, Math.max(changedMs, calmSinceMs ?? nowMs) + coolDownMs - nowMs));
}

function nodes(count: number): string {
  return `${count} node${count === 1 ? "" : "s"}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`;
}
