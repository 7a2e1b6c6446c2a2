/**
 * What the ranking needs to know of each region, for one kind of wish: who can take the player at all, and
 * what load there costs. Made when a region changes, not at each decision.
 */
import { compareEpochs, EPOCH_NONE } from "../../shared/epoch.ts";
import type { GameName, RegionId } from "../../shared/ids.ts";
import {
  freeOffered,
  isHealthy,
  liveNodes,
  offeredSeats,
  regionStateOf,
  runsGame,
  suits,
  takesPlayers,
  type Wish,
} from "../regions/region-view.ts";
import type { NodeRecord, RegionRecord, RegistryState } from "../regions/registry-step.ts";
import { onSphere, type SpherePoint } from "./great-circle.ts";

/** What the last seat of a region costs more than one in its emptier half, in ms of latency. */
const FULLNESS_PENALTY_MS = 40;
/**
 * Up to there fullness is free: the first players of a region would else be sent to another, emptier one
 * each, and nobody would meet anyone.
 */
const FREE_FULLNESS = 0.5;
/** What an event loop without an idle moment costs; one that is idle for half of the time is free. */
const BUSY_PENALTY_MS = 100;
const FREE_UTILISATION = 0.5;
const FULL = "full";
const OVERLOADED = "overloaded: takes nobody new for now";
/** Wishes whose candidates are kept; clients name games and builds. */
const LISTS_MAX = 64;

/** One region as a place to send players to. */
export interface Candidate {
  readonly regionId: RegionId;
  readonly point: SpherePoint;
  readonly weight: number;
  /** Why it takes nobody; undefined when it does. */
  readonly obstacle: string | undefined;
  /** Whether want of seats is all that is in the way: players wait for it in its queue. */
  readonly full: boolean;
  /** Share of the seats that are taken, 0 to 1. */
  readonly fullness: number;
  /** Of the busiest event loop, 0 to 1. */
  readonly utilisation: number;
  /** What both cost, in ms of latency, after the operator's weight. */
  readonly loadMs: number;
}

interface List {
  /** What it was made of. */
  readonly of: RegistryState;
  readonly records: readonly RegionRecord[];
  readonly candidates: readonly Candidate[];
}

/**
 * The candidates for each wish. Every seat that is granted changes a region: only that one's candidate is
 * made anew then.
 */
export class Candidates {
  readonly #regions: () => RegistryState;
  readonly #lists = new Map<string, List>();
  /** The same with full regions taken for open ones; forgotten with the list that it was made of. */
  readonly #waitable = new WeakMap<readonly Candidate[], readonly Candidate[]>();

  /** @param regions a new object whenever anything in it changed, with the same records of what did not */
  constructor(regions: () => RegistryState) {
    this.#regions = regions;
  }

  /** One for each region. */
  for(wish: Wish): readonly Candidate[] {
    const regions = this.#regions();
    const key = keyOf(wish);
    const known = this.#lists.get(key);
    if (known?.of === regions) return known.candidates;
    const records = [...regions.values()];
    const candidates = records.map((region, index) => {
      const before = known?.records[index] === region ? known.candidates[index] : undefined;
      return before ?? candidateOf(region, wish);
    });
    if (known === undefined && this.#lists.size >= LISTS_MAX) this.#lists.clear();
    this.#lists.set(key, { of: regions, records, candidates });
    return candidates;
  }

  /** One for each region, as if those that are full had seats: to rank where a player would wait. */
  waitable(wish: Wish): readonly Candidate[] {
    const list = this.for(wish);
    const known = this.#waitable.get(list);
    if (known) return known;
    const open = asWaitable(list);
    this.#waitable.set(list, open);
    return open;
  }
}

/**
 * Different for wishes that differ. A build is whatever a client says, also an empty text, which no region
 * runs: others, who name none, must not be answered from its list.
 */
function keyOf({ game, protocol, build }: Wish): string {
  const plain = `${game ?? ""} ${protocol ?? ""}`;
  return build === undefined ? plain : `${plain} ${build}`;
}

/** The same as if those that are full had seats. Pure. */
export function asWaitable(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.map((one) => (one.full ? { ...one, obstacle: undefined } : one));
}

/** The region as that wish sees it. Pure. */
export function candidateOf(region: RegionRecord, wish: Wish): Candidate {
  const { id, weight } = region.spec;
  const nodes = liveNodes(region).filter((node) => takesPlayers(node) && suits(node, wish));
  const load = loadOf(region, nodes);
  const obstacle = obstacleOf(region, wish);
  return {
    regionId: id,
    point: onSphere(region.spec),
    weight,
    obstacle,
    full: obstacle === FULL || obstacle === OVERLOADED,
    ...load,
    loadMs: loadPenaltyMs(load) / weight,
  };
}

/** What load costs, in ms of latency, before any weight. Grows with both of its parts. */
export function loadPenaltyMs({
  fullness,
  utilisation,
}: Pick<Candidate, "fullness" | "utilisation">): number {
  const full = Math.max(0, fullness - FREE_FULLNESS) / (1 - FREE_FULLNESS);
  const busy = Math.max(0, utilisation - FREE_UTILISATION) / (1 - FREE_UTILISATION);
  return FULLNESS_PENALTY_MS * full ** 2 + BUSY_PENALTY_MS * busy ** 2;
}

/** Whether any live node of any region runs that game. */
export function isGameKnown(regions: readonly RegionRecord[], game: GameName): boolean {
  return regions.some((region) => liveNodes(region).some((node) => runsGame(node, game)));
}

/** Why the region can't take the player; undefined when it can. */
function obstacleOf(region: RegionRecord, wish: Wish): string | undefined {
  const state = regionStateOf(region);
  if (state === "fenced") return "fenced: an operator ended what ran there";
  if (state === "unknown") return "no heartbeat yet";
  if (compareEpochs(region.epoch, EPOCH_NONE) === 0) return "its registration is under way";
  if (state === "isolated") return "isolated: its own way to the core is cut";
  if (state === "down") return "down: its heartbeats stopped";
  if (state === "draining") return "draining: it takes no new players";
  const trusted = liveNodes(region).filter(({ health }) => health === "healthy");
  if (trusted.length === 0) return "suspected: its nodes are looked at";
  const healthy = trusted.filter(isHealthy);
  if (healthy.length === 0) return "not healthy: its Redis does not answer";
  const running = healthy.filter((node) => runsGame(node, wish.game));
  if (running.length === 0) return `it does not run ${wish.game}`;
  const understood = running.filter((node) => suits(node, wish));
  if (understood.length === 0) return "it runs another version than the client";
  const open = understood.filter(takesPlayers);
  if (open.length === 0) return OVERLOADED;
  if (open.every((node) => freeOffered(region, node) === 0)) return FULL;
  return undefined;
}

function loadOf(
  region: RegionRecord,
  nodes: readonly NodeRecord[],
): Pick<Candidate, "fullness" | "utilisation"> {
  // Of a region that takes nobody nothing is known that counts.
  if (nodes.length === 0) return { fullness: 0, utilisation: 0 };
  let capacity = 0;
  let free = 0;
  let utilisation = 0;
  for (const node of nodes) {
    capacity += offeredSeats(region, node);
    free += freeOffered(region, node);
    utilisation = Math.max(utilisation, node.heartbeat.load.eventLoopUtilisation);
  }
  return { fullness: capacity === 0 ? 1 : 1 - free / capacity, utilisation };
}
