/** The faults there are, and the seeded sequence of them that a campaign goes through. Pure. */
import { Random } from "../../region/rooms/random.ts";
import type { RegionId } from "../../shared/ids.ts";

/** What happens to a region's node, and to those who play there. */
export const REGION_FAULTS = [
  /** SIGKILL; started again once its players play elsewhere. */
  "kill-region",
  /** SIGKILL, and started again at once: its next life may be there before anyone missed it. */
  "replace-region",
  /** SIGTERM; started again once it has ended and its players play elsewhere. */
  "drain-region",
  /** SIGSTOP, and SIGCONT after a while: from unnoticed to taken for dead. */
  "stop-region",
] as const;

/** What a region needs goes away for a while; its rooms must not notice. */
export const SUPPLY_FAULTS = [
  /** SIGKILL of the region's Redis. */
  "kill-redis",
  /** SIGSTOP of it. */
  "stop-redis",
  /** The region's way to the core is closed and refused, as by a router that says so. */
  "cut-link",
  /** Both ways swallow all bytes and close nothing, as a network does that drops packets. */
  "half-open-link",
] as const;

/** What there is once goes away for a while. */
export const CENTRAL_FAULTS = [
  /** SIGKILL of the core. Some players look for a room meanwhile. */
  "kill-core",
  "stop-core",
  /** SIGKILL of all of its processes at once, as when its machine loses power. */
  "kill-postgres",
  "stop-postgres",
] as const;

/** What befalls a core of several processes with a standby of its database; everything of value outlives it. */
export const DISASTERS = [
  /** SIGKILL of the core that leads: another one does. */
  "kill-leader",
  /** SIGSTOP, and SIGCONT after a while, when another may lead. */
  "stop-leader",
  /** SIGKILL of all of them. */
  "kill-cores",
  /** SIGKILL of the server that is written to, with all of its processes: its standby takes over. */
  "kill-primary",
  /** SIGSTOP of them: as long as the standby has not taken over they may wake. */
  "stop-primary",
  "kill-standby",
  "stop-standby",
  /** The standby does not hear of the primary, and both live. */
  "cut-standby",
] as const;
export type Disaster = (typeof DISASTERS)[number];

/** With one core and one database. */
export const FAULT_KINDS = [...REGION_FAULTS, ...SUPPLY_FAULTS, ...CENTRAL_FAULTS] as const;
/** With several cores and a standby: also what strikes a region at the same time. */
export const DISASTER_KINDS = [...DISASTERS, "kill-region", "replace-region", "cut-link"] as const;
export type FaultKind = (typeof FAULT_KINDS)[number] | Disaster;

export type Fault = {
  /** For how long, ms; 0 where the fault is over once its effects are. */
  readonly lastsMs: number;
} & (
  | { readonly kind: (typeof REGION_FAULTS)[number]; readonly regionId: RegionId }
  | { readonly kind: (typeof SUPPLY_FAULTS)[number]; readonly regionId: RegionId }
  | { readonly kind: (typeof CENTRAL_FAULTS)[number] | Disaster }
);

const LASTS_MS_MIN = 100;
/** Longer than a region's lease and the core's grace: they are noticed at times and not at others. */
const LASTS_MS_MAX = 3_000;
/** Longer than it takes the core to give a region up, and its players to look elsewhere. */
const STOPPED_MS_MAX = 6_000;

/** At the same time. */
const WAVE_MAX = 3;
/** Nobody has to move for these. */
const UNMOVING: readonly FaultKind[] = [
  ...SUPPLY_FAULTS,
  "stop-core",
  "kill-postgres",
  "stop-postgres",
  "kill-standby",
  "stop-standby",
  "cut-standby",
];
/** May come on top of a region's. */
const ON_TOP: readonly FaultKind[] = [
  ...UNMOVING,
  "kill-leader",
  "stop-leader",
  "kill-primary",
  "stop-primary",
];

export interface Plan {
  readonly seed: number;
  readonly count: number;
  readonly regionIds: readonly RegionId[];
  /** `FAULT_KINDS` by default. */
  readonly kinds?: readonly FaultKind[];
}

/** The same seed gives the same faults; each kind comes once in so many as there are kinds. */
export function planFaults({ seed, count, regionIds, kinds = FAULT_KINDS }: Plan): Fault[] {
  const random = Random.fromSeed(seed);
  const faults: Fault[] = [];
  while (faults.length < count) {
    for (const kind of random.shuffle(kinds)) {
      faults.push(drawFault(kind, regionIds, random));
    }
  }
  return faults.slice(0, count);
}

/**
 * Groups faults that strike at the same time, in their order. A region whose players find their way takes
 * seconds, and others have trouble meanwhile, too: what needs nobody to move may come on top of it. Not at
 * what that region needs to start again; only its Redis may go along with a node that is killed.
 */
export function wavesOf(faults: readonly Fault[]): Fault[][] {
  const waves: Fault[][] = [];
  for (const fault of faults) {
    const wave = waves.at(-1);
    if (wave && wave.length < WAVE_MAX && mayComeOnTop(fault, wave)) wave.push(fault);
    else waves.push([fault]);
  }
  return waves;
}

function mayComeOnTop(fault: Fault, [first, ...others]: readonly Fault[]): boolean {
  if (!first) return false;
  // The core needs its database to start.
  if (first.kind === "kill-core" || first.kind === "kill-cores")
    return isOneOf(SUPPLY_FAULTS, fault.kind) && others.length === 0;
  if (!isOneOf(REGION_FAULTS, first.kind) || !isOneOf(ON_TOP, fault.kind)) return false;
  if (others.some(({ kind }) => partOf(kind) === partOf(fault.kind))) return false;
  if (isOneOf(DISASTERS, fault.kind) && others.some(({ kind }) => isOneOf(DISASTERS, kind)))
    return false;
  const sameRegion =
    "regionId" in first && "regionId" in fault && first.regionId === fault.regionId;
  return !sameRegion || (first.kind === "kill-region" && partOf(fault.kind) === "redis");
}

/** Whether nobody has to move for any of them, and they spare these regions. */
export function isQuietFor(wave: readonly Fault[], spared: ReadonlySet<RegionId>): boolean {
  return wave.every((fault) => {
    return isOneOf(UNMOVING, fault.kind) && !("regionId" in fault && spared.has(fault.regionId));
  });
}

function isRegional(
  kind: FaultKind,
): kind is (typeof REGION_FAULTS)[number] | (typeof SUPPLY_FAULTS)[number] {
  return isOneOf([...REGION_FAULTS, ...SUPPLY_FAULTS], kind);
}

function isOneOf(kinds: readonly FaultKind[], kind: FaultKind): boolean {
  return kinds.includes(kind);
}

/** What it strikes: `redis`. */
function partOf(kind: FaultKind): string {
  return kind.slice(kind.lastIndexOf("-") + 1);
}

/** How long faults of a kind last at most, ms. */
export function lastsMsMax(kind: FaultKind): number {
  if (kind === "stop-region" || kind === "stop-leader") return STOPPED_MS_MAX;
  if (kind === "kill-leader" || kind === "kill-primary" || kind === "kill-standby") return 0;
  return isOneOf(REGION_FAULTS, kind) ? 0 : LASTS_MS_MAX;
}

/** For people: `stop-region beijing for 2.5 s`. */
export function faultText(fault: Fault): string {
  const where = "regionId" in fault ? ` ${fault.regionId}` : "";
  return `${fault.kind}${where}${fault.lastsMs > 0 ? ` for ${inSeconds(fault.lastsMs)}` : ""}`;
}

export function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function drawFault(kind: FaultKind, regionIds: readonly RegionId[], random: Random): Fault {
  const mostMs = lastsMsMax(kind);
  const lastsMs = mostMs === 0 ? 0 : LASTS_MS_MIN + random.int(mostMs - LASTS_MS_MIN);
  if (isRegional(kind)) return { kind, regionId: random.pick(regionIds), lastsMs };
  return { kind, lastsMs };
}
