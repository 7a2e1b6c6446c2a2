/**
 * How many nodes each region should run. Pure: `(state, sample, now) → [state, decisions]`.
 *
 * What a region needs is the larger of two numbers of nodes:
 *
 * - for everyone: all who play and wait, and those who come until a node that is started now is up, must fit into
 *   `fill` of the seats that admission gives to everyone, which are those without its headroom;
 * - N+1: if any one region is lost the others have a seat for each of its players. Each of the `n - 1` others is
 *   ready for `1/(n-1)` of the players of the fullest one: in sum that is all of them, whichever is lost. A node of a
 *   region that has others is covered by the same seats. A lone region runs one node more than its players need.
 *
 * More is wanted at once. Fewer only when `calmFill`, which is lower, has sufficed for a whole cool-down, and one
 * cool-down after the last change; then one node at a time, because each has to be emptied. So what is wanted never
 * falls within a cool-down of any change, and small changes of load change nothing. Bounds win over everything.
 */
import type { RegionId } from "../../shared/ids.ts";

export interface ScalingSettings {
  /** Share of the seats for everyone that may be taken before a node is added, above 0, to 1. */
  readonly fill: number;
  /** The share that fewer nodes would have to keep to; below `fill`. */
  readonly calmFill: number;
  readonly coolDownMs: number;
  /** From the decision to a node that takes players. */
  readonly leadMs: number;
  /** Whether the loss of a region must find seats elsewhere. */
  readonly nPlusOne: boolean;
}

export interface RegionSample {
  readonly regionId: RegionId;
  readonly bounds: { readonly min: number; readonly max: number };
  /** Why it is left as it is: it takes no players, or nothing is known of it; undefined when it counts. */
  readonly leftAlone: string | undefined;
  /** Nodes that live and are not being emptied. */
  readonly running: number;
  /** Seats that admission gives on one node; undefined while nobody knows. */
  readonly seatsPerNode: number | undefined;
  readonly players: number;
  readonly waiting: number;
}

export interface Sample {
  readonly regions: readonly RegionSample[];
  /** Share of each region's seats that admission keeps free now. */
  readonly headroom: number;
}

/**
 * Why it is as many: `load`: those who play; `queue`: those who wait; `trend`: those who are to come; `n_plus_1`;
 * `minimum`, `maximum`; `cool_down`: fewer would do, and not for long enough; `calm`: fewer do; `steady`: as it
 * was; `bounds`: they were changed; `left_alone`.
 */
export type Reason =
  | "load"
  | "queue"
  | "trend"
  | "n_plus_1"
  | "minimum"
  | "maximum"
  | "cool_down"
  | "calm"
  | "steady"
  | "bounds"
  | "left_alone";

/** What a decision was made from. */
export interface Need {
  readonly players: number;
  readonly waiting: number;
  /** By which players and waiting together grow, a second; below 0 when they get fewer. */
  readonly growthPerS: number;
  readonly seatsPerNode: number;
  readonly headroom: number;
  /** Nodes for everyone. */
  readonly forEveryone: number;
  /** Nodes for N+1; 0 where that is not asked for. */
  readonly spare: number;
  /** The region whose loss asks for most here, and how many of its players would come. */
  readonly guests: { readonly from: RegionId; readonly players: number } | undefined;
  /** Nodes without regard to bounds. */
  readonly up: number;
  /** The same, so full as it must be for fewer to do. */
  readonly down: number;
}

export interface RegionScaling {
  readonly wanted: number;
  readonly running: number;
  readonly bounds: RegionSample["bounds"];
  readonly reason: Reason;
  /** Undefined where it is left alone. */
  readonly need: Need | undefined;
  readonly leftAlone: string | undefined;
  /** Monotonic, of the last change. */
  readonly changedMs: number;
  /** Since when fewer would have done, monotonic. */
  readonly calmSinceMs: number | undefined;
  /** Of the last sample that counted. */
  readonly demand: number;
  readonly growthPerS: number;
  readonly sampledMs: number;
}

export interface Decision {
  readonly regionId: RegionId;
  /** Undefined of the first one. */
  readonly from: number | undefined;
  readonly to: number;
  readonly scaling: RegionScaling;
}

export type ScalingState = ReadonlyMap<RegionId, RegionScaling>;

/** Half of what growth was so long ago still counts, as often as that has passed. */
const TREND_HALF_LIFE_MS = 30_000;

/** @param nowMs monotonic */
export function scalingStep(
  state: ScalingState,
  sample: Sample,
  settings: ScalingSettings,
  nowMs: number,
): readonly [ScalingState, readonly Decision[]] {
  const next = new Map<RegionId, RegionScaling>();
  const decisions: Decision[] = [];
  for (const region of sample.regions) {
    const { regionId } = region;
    const before = state.get(regionId);
    const scaling = decide(before, region, sample, settings, nowMs);
    next.set(regionId, scaling);
    if (scaling.wanted !== before?.wanted) {
      decisions.push({ regionId, from: before?.wanted, to: scaling.wanted, scaling });
    }
  }
  return [next, decisions];
}

function decide(
  before: RegionScaling | undefined,
  region: RegionSample,
  sample: Sample,
  settings: ScalingSettings,
  nowMs: number,
): RegionScaling {
  const { bounds, running, leftAlone, seatsPerNode } = region;
  const demand = region.players + region.waiting;
  const counts = leftAlone === undefined && seatsPerNode !== undefined && seatsPerNode > 0;
  const growthPerS = counts ? growthOf(before, demand, nowMs) : 0;
  const common = { running, bounds, demand, growthPerS, sampledMs: nowMs };
  if (!counts) {
    const wanted = within(bounds, before?.wanted ?? running);
    const changedMs = wanted === before?.wanted ? before.changedMs : nowMs;
    const why = leftAlone ?? "nobody knows yet how many seats a node has";
    const rest = { reason: "left_alone", need: undefined, leftAlone: why } as const;
    return { ...common, ...rest, wanted, changedMs, calmSinceMs: undefined };
  }
  const need = needOf(region, { sample, settings, seatsPerNode, growthPerS });
  const own = { ...common, need, leftAlone: undefined };
  // Of a region that was just met nobody knows how long it has been calm: what runs goes on to run.
  const had = before?.wanted ?? Math.max(running, need.up);
  const held = within(bounds, had);
  const changedMs = before?.changedMs ?? nowMs;
  if (within(bounds, need.up) > held) {
    const wanted = within(bounds, need.up);
    return { ...own, wanted, reason: reasonOf(need, region, settings), ...changedAt(nowMs) };
  }
  if (held !== had) return { ...own, wanted: held, reason: "bounds", ...changedAt(nowMs) };
  if (within(bounds, need.down) >= held) {
    const reason = standing(need, held, bounds);
    return { ...own, wanted: held, reason, changedMs, calmSinceMs: undefined };
  }
  const calmSinceMs = before?.calmSinceMs ?? nowMs;
  const sinceMs = Math.max(calmSinceMs, changedMs);
  if (nowMs - sinceMs < settings.coolDownMs) {
    return { ...own, wanted: held, reason: "cool_down", changedMs, calmSinceMs };
  }
  return { ...own, wanted: held - 1, reason: "calm", changedMs: nowMs, calmSinceMs };
}

function changedAt(nowMs: number): Pick<RegionScaling, "changedMs" | "calmSinceMs"> {
  return { changedMs: nowMs, calmSinceMs: undefined };
}

interface Given {
  readonly sample: Sample;
  readonly settings: ScalingSettings;
  readonly seatsPerNode: number;
  readonly growthPerS: number;
}

function needOf(region: RegionSample, given: Given): Need {
  const { sample, settings, seatsPerNode, growthPerS } = given;
  const { players, waiting } = region;
  const { headroom } = sample;
  const demand = players + waiting;
  const ahead = demand + comingOf(growthPerS, settings);
  const open = seatsPerNode * (1 - headroom);
  const guests = settings.nPlusOne ? guestsOf(region, sample.regions) : undefined;
  const spare = settings.nPlusOne ? spareFor(demand, guests, seatsPerNode) : 0;
  const forEveryone = Math.ceil(ahead / (settings.fill * open));
  return {
    players,
    waiting,
    growthPerS,
    seatsPerNode,
    headroom,
    forEveryone,
    spare,
    guests: guests === "alone" ? undefined : guests,
    up: Math.max(forEveryone, spare),
    down: Math.max(Math.ceil(ahead / (settings.calmFill * open)), spare),
  };
}

/** Players who come until a node that is started now is up. */
export function comingOf(growthPerS: number, { leadMs }: Pick<ScalingSettings, "leadMs">): number {
  return (Math.max(0, growthPerS) * leadMs) / 1_000;
}

/** Whose players would come; `alone`: of nobody, and nobody would take its own. */
function guestsOf(
  region: RegionSample,
  regions: readonly RegionSample[],
): Need["guests"] | "alone" {
  const others = regions.filter(
    ({ regionId, leftAlone }) => leftAlone === undefined && regionId !== region.regionId,
  );
  const [first, ...rest] = others;
  if (!first) return "alone";
  const fullest = rest.reduce((a, b) => (demandOf(b) > demandOf(a) ? b : a), first);
  // Whoever is left when that one is lost: as many as it has others now.
  return { from: fullest.regionId, players: demandOf(fullest) / others.length };
}

function spareFor(demand: number, guests: Need["guests"] | "alone", seatsPerNode: number): number {
  if (guests !== "alone") return Math.ceil((demand + (guests?.players ?? 0)) / seatsPerNode);
  return demand === 0 ? 0 : Math.ceil(demand / seatsPerNode) + 1;
}

function demandOf({ players, waiting }: RegionSample): number {
  return players + waiting;
}

/** Exponentially smoothed, so that neither one party nor one pause between two decides. */
function growthOf(before: RegionScaling | undefined, demand: number, nowMs: number): number {
  // What was left alone was not looked at: its players came or went at once, which is no trend.
  if (!before || before.need === undefined) return 0;
  const passedMs = nowMs - before.sampledMs;
  if (passedMs <= 0) return before.growthPerS;
  const kept = 0.5 ** (passedMs / TREND_HALF_LIFE_MS);
  const now = ((demand - before.demand) * 1_000) / passedMs;
  return before.growthPerS * kept + now * (1 - kept);
}

/** What asked for so many: what is left when the others are taken away. */
function reasonOf(need: Need, region: RegionSample, settings: ScalingSettings): Reason {
  const { bounds } = region;
  if (need.up > bounds.max) return "maximum";
  if (need.up < bounds.min) return "minimum";
  if (need.spare >= need.up && need.spare > need.forEveryone) return "n_plus_1";
  const open = need.seatsPerNode * (1 - need.headroom) * settings.fill;
  if (Math.ceil(need.players / open) >= need.up) return "load";
  return Math.ceil((need.players + need.waiting) / open) >= need.up ? "queue" : "trend";
}

function standing(need: Need, wanted: number, { min, max }: RegionSample["bounds"]): Reason {
  if (need.up > max) return "maximum";
  return wanted === min && need.up < min ? "minimum" : "steady";
}

function within({ min, max }: RegionSample["bounds"], nodes: number): number {
  return Math.max(min, Math.min(max, nodes));
}
