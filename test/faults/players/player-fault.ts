/** What strikes players who are followed, and the seeded sequence of it. Pure. */
import { Random } from "../../../region/rooms/random.ts";
import type { RegionId } from "../../../shared/ids.ts";
import { LEASE_MS } from "../../../shared/protocol/link.ts";
import { inSeconds } from "../fault.ts";

/** Their rooms go on elsewhere. */
export const MOVING_FAULTS = [
  /** SIGKILL of all nodes of a region. */
  "kill-region",
  /** SIGKILL of one of a region's nodes. */
  "kill-node",
  /** No byte comes out of it any more, and nobody is told. Needs delayed links. */
  "black-hole",
  /** SIGKILL, and once its rooms are protected again, of the region that took them. */
  "kill-two",
  /** SIGKILL, and of the region that took its rooms as soon as their players are there. */
  "kill-heir",
  /** SIGKILL while the core starts anew. */
  "kill-without-core",
  /** The next life of a region's node goes on with its rooms. */
  "replace-node",
] as const;

/** Nobody's room goes anywhere, though they may have to come back to it. */
export const STAYING_FAULTS = [
  /** SIGSTOP, and SIGCONT after a while: its rooms may go elsewhere meanwhile. */
  "stop-region",
  /** The way between players and region is cut. Needs delayed links. */
  "cut-players",
] as const;

/** Nobody may notice. */
export const UNNOTICED_FAULTS = [
  /** Both ways between region and core are closed and refused. */
  "cut-link",
  /** Both swallow all bytes. */
  "half-open-link",
  /** Only what the region says to the core is swallowed. */
  "half-open-out",
  /** Only what the core and others say to the region is swallowed. */
  "half-open-in",
] as const;

export const PLAYER_FAULT_KINDS = [
  ...MOVING_FAULTS,
  ...STAYING_FAULTS,
  ...UNNOTICED_FAULTS,
] as const;
export type PlayerFaultKind = (typeof PLAYER_FAULT_KINDS)[number];

export interface PlayerFault {
  readonly kind: PlayerFaultKind;
  readonly regionId: RegionId;
  /** 0 where it is over once everybody plays again. */
  readonly lastsMs: number;
}

/** Need `--wan`, where players' ways to regions have links of their own. */
const NEED_WAN: readonly PlayerFaultKind[] = ["black-hole", "cut-players"];
/** Two regions are gone at once, and players need a third. */
const NEED_THREE: readonly PlayerFaultKind[] = ["kill-two", "kill-heir"];
const LASTS_MS_MIN = 300;
const LASTS_MS_MAX = 6_000;
/** Past that the core would have to give players a seat elsewhere. */
const PLAYERS_CUT_MS_MAX = 3_000;

/** A room's state when it goes on, against the newest that anybody saw. */
export const ROLLED_BACK_MS = 250;

export interface PlayerPlan {
  readonly seed: number;
  readonly count: number;
  readonly regionIds: readonly RegionId[];
  readonly wan: boolean;
}

/** The same seed gives the same faults; each kind comes once in so many as there are kinds. */
export function planPlayerFaults({ seed, count, regionIds, wan }: PlayerPlan): PlayerFault[] {
  const random = Random.fromSeed(seed);
  const kinds = PLAYER_FAULT_KINDS.filter(
    (kind) =>
      (wan || !NEED_WAN.includes(kind)) && (regionIds.length > 2 || !NEED_THREE.includes(kind)),
  );
  const faults: PlayerFault[] = [];
  while (faults.length < count) {
    for (const kind of random.shuffle(kinds)) {
      const regionId = random.pick(regionIds);
      const mostMs = lastsMsMax(kind);
      const lastsMs = mostMs === 0 ? 0 : LASTS_MS_MIN + random.int(mostMs - LASTS_MS_MIN);
      faults.push({ kind, regionId, lastsMs });
    }
  }
  return faults.slice(0, count);
}

export function lastsMsMax(kind: PlayerFaultKind): number {
  if (isOneOf(MOVING_FAULTS, kind)) return 0;
  return kind === "cut-players" ? PLAYERS_CUT_MS_MAX : LASTS_MS_MAX;
}

/** Whether rooms may be lost in it: a region that took some over and dies at once has no copies of them yet. */
export function mayLoseRooms(kind: PlayerFaultKind): boolean {
  return kind === "kill-heir";
}

/** Whether those who play there may notice anything. */
export function isNoticed(kind: PlayerFaultKind): boolean {
  return !isOneOf(UNNOTICED_FAULTS, kind);
}

/** How far a room may be rolled back in it, ms: one that was stopped may show a little more when it wakes. */
export function rolledBackMsMax(kind: PlayerFaultKind): number {
  if (kind === "replace-node") return 0;
  return kind === "stop-region" ? ROLLED_BACK_MS + LEASE_MS : ROLLED_BACK_MS;
}

/** For people: `stop-region beijing for 2.5 s`. */
export function playerFaultText({ kind, regionId, lastsMs }: PlayerFault): string {
  return `${kind} ${regionId}${lastsMs > 0 ? ` for ${inSeconds(lastsMs)}` : ""}`;
}

function isOneOf(kinds: readonly PlayerFaultKind[], kind: PlayerFaultKind): boolean {
  return kinds.includes(kind);
}
