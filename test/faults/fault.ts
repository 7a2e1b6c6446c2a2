/** The faults there are, and the seeded sequence of them that a campaign goes through. Pure. */
import { Random } from "../../region/rooms/random.ts";
import type { RegionId } from "../../shared/ids.ts";

export const FAULT_KINDS = [
  "kill-region",
  "replace-region",
  "kill-core",
  "stop-region",
  "drain-region",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export type Fault =
  /** SIGKILL; started again once its players play elsewhere. */
  | { readonly kind: "kill-region"; readonly regionId: RegionId }
  /** SIGKILL, and started again at once: its next life may be there before anyone missed it. */
  | { readonly kind: "replace-region"; readonly regionId: RegionId }
  /** SIGKILL; started again after so long. Some players look for a room meanwhile. */
  | { readonly kind: "kill-core"; readonly awayMs: number }
  /** SIGSTOP, and SIGCONT after so long: from unnoticed to taken for dead. */
  | { readonly kind: "stop-region"; readonly regionId: RegionId; readonly stoppedMs: number }
  /** SIGTERM; started again once it has ended and its players play elsewhere. */
  | { readonly kind: "drain-region"; readonly regionId: RegionId };

/** Longer than a region's lease, so that the regions notice at times and not at others. */
export const CORE_AWAY_MS_MAX = 3_000;
/** Longer than it takes the core to give a region up, and its players to look elsewhere. */
export const STOPPED_MS_MAX = 6_000;
const STOPPED_MS_MIN = 100;

export interface Plan {
  readonly seed: number;
  readonly count: number;
  readonly regionIds: readonly RegionId[];
}

/** The same seed gives the same faults; each kind comes once in so many as there are kinds. */
export function planFaults({ seed, count, regionIds }: Plan): Fault[] {
  const random = Random.fromSeed(seed);
  const faults: Fault[] = [];
  while (faults.length < count) {
    for (const kind of random.shuffle(FAULT_KINDS)) {
      faults.push(drawFault(kind, regionIds, random));
    }
  }
  return faults.slice(0, count);
}

/** For people: `stop-region beijing for 2.5 s`. */
export function faultText(fault: Fault): string {
  switch (fault.kind) {
    case "kill-core":
      return `${fault.kind} for ${inSeconds(fault.awayMs)}`;
    case "stop-region":
      return `${fault.kind} ${fault.regionId} for ${inSeconds(fault.stoppedMs)}`;
    case "kill-region":
    case "replace-region":
    case "drain-region":
      return `${fault.kind} ${fault.regionId}`;
  }
}

export function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function drawFault(kind: FaultKind, regionIds: readonly RegionId[], random: Random): Fault {
  switch (kind) {
    case "kill-core":
      return { kind, awayMs: random.int(CORE_AWAY_MS_MAX) };
    case "stop-region": {
      const stoppedMs = STOPPED_MS_MIN + random.int(STOPPED_MS_MAX - STOPPED_MS_MIN);
      return { kind, regionId: random.pick(regionIds), stoppedMs };
    }
    case "kill-region":
    case "replace-region":
    case "drain-region":
      return { kind, regionId: random.pick(regionIds) };
  }
}
