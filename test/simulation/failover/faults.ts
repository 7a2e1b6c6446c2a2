/** What goes wrong in a world of failovers, and when: chosen from the seed before it begins. */
import type { Chance } from "../../../shared/chance.testkit.ts";
import type { RegionId } from "../../../shared/ids.ts";
import { type End, QUIET, type Way } from "./links.ts";
import type { NodeModel } from "./node.ts";
import type { World } from "./world.ts";

export const FAULTS_FROM_MS = 2_500;
export const FAULTS_UNTIL_MS = 13_000;
const FAULTS_MAX = 7;
/** A node that stands still no longer than this is none that is lost. */
const SHORT_PAUSE_MS = 1_500;
const NOISE_BEFORE_MS = 1_500;
/** Long enough for a verdict. */
const CUT_MS_MIN = 2_500;

export const FAULTS = [
  "node dies",
  "node vanishes",
  "region dies",
  "region vanishes",
  "node stands still",
  "node stands still for long",
  "core loses a node",
  "core loses a node one way",
  "core loses a region",
  "core loses all but one node",
  "core is rejected at a node",
  "two nodes lose each other",
  "a node is cut off",
  "a node is cut off amid noise",
  "who takes over is cut off",
  "a region is cut off",
  "a player loses a node",
  "core crashes",
  "core comes back under a new term",
  "core stands still",
  "noise",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface PlannedFault {
  readonly atMs: number;
  readonly fault: Fault;
}

const HARMLESS: readonly Fault[] = ["noise", "node stands still", "core stands still"];

export interface FaultPlan {
  readonly onlyNoise: boolean;
  readonly faults: readonly PlannedFault[];
}

/** Each world is spared most kinds of faults, so that those that it has come often and close together. */
export function planFaults(chance: Chance): FaultPlan {
  const onlyNoise = chance.once(8);
  const kinds = onlyNoise ? HARMLESS : FAULTS.filter(() => chance.once(4));
  const count = kinds.length > 0 ? 1 + chance.below(FAULTS_MAX) : 0;
  const faults = Array.from({ length: count }, () => ({
    atMs: FAULTS_FROM_MS + chance.below(FAULTS_UNTIL_MS - FAULTS_FROM_MS - 3_000),
    fault: chance.of(kinds),
  }));
  return { onlyNoise, faults: faults.sort((a, b) => a.atMs - b.atMs) };
}

type Infliction = (world: World, forMs: number) => void;

const INFLICTIONS: Readonly<Record<Fault, Infliction>> = {
  "node dies": (world) => some(world)?.die(false),
  "node vanishes": (world) => some(world)?.die(true),
  "region dies": (world) => {
    for (const node of ofSomeRegion(world)) node.die(false);
  },
  "region vanishes": (world) => {
    for (const node of ofSomeRegion(world)) node.die(true);
  },
  "node stands still": (world) => some(world)?.pause(1 + world.chance.below(SHORT_PAUSE_MS)),
  "node stands still for long": (world, forMs) => some(world)?.pause(forMs),
  "core loses a node": (world, forMs) => cutAll(world, ["core"], idsOf(some(world)), forMs),
  "core loses a node one way": (world, forMs) => {
    const [id] = idsOf(some(world));
    if (!id) return;
    const [from, to] = world.chance.once(2) ? ["core" as const, id] : [id, "core" as const];
    cut(world, from, to, "drops", forMs);
  },
  "core loses a region": (world, forMs) => {
    cutAll(world, ["core"], idsOf(...ofSomeRegion(world)), forMs);
  },
  "core loses all but one node": (world, forMs) => {
    const spared = some(world);
    const others = world.living.filter((node) => node !== spared);
    cutAll(world, ["core"], idsOf(...others), forMs);
    if (spared)
      cutAll(world, [spared.id], idsOf(...others.filter(ofRegion(spared.regionId))), forMs);
  },
  "core is rejected at a node": (world, forMs) => {
    const [id] = idsOf(some(world));
    if (!id) return;
    cut(world, "core", id, "rejects", forMs);
    cut(world, id, "core", "drops", forMs);
  },
  "two nodes lose each other": (world, forMs) => {
    cutAll(world, idsOf(some(world)), idsOf(some(world)), forMs);
  },
  "a node is cut off": (world, forMs) => cutOff(world, idsOf(some(world)), forMs),
  "a node is cut off amid noise": (world, forMs) => {
    INFLICTIONS.noise(world, NOISE_BEFORE_MS);
    world.schedule.after(NOISE_BEFORE_MS, () => cutOff(world, idsOf(some(world)), forMs));
  },
  "who takes over is cut off": (world, forMs) => {
    const owners = world.living.filter(({ rooms }) => rooms.size > 0);
    if (owners.length > 0) world.chance.of(owners).die(false);
    world.onTakeOver = (node) => cutOff(world, [node.id], CUT_MS_MIN + forMs);
  },
  "a region is cut off": (world, forMs) => cutOff(world, idsOf(...ofSomeRegion(world)), forMs),
  "a player loses a node": (world, forMs) => {
    const player = world.chance.of(world.players);
    for (const { id } of world.living) player.cutFrom.add(id);
    world.schedule.after(forMs, () => player.cutFrom.clear());
  },
  "core crashes": (world, forMs) => world.core.crash(Math.min(forMs, 2_000), false),
  "core comes back under a new term": (world, forMs) => {
    world.core.crash(Math.min(forMs, 2_000), true);
  },
  "core stands still": (world, forMs) => world.core.pause(forMs),
  noise: (world, forMs) => {
    const { chance, links, schedule } = world;
    links.noise = { loss: 0.05 + chance.float() * 0.15, jitterMs: chance.of([50, 300, 800]) };
    world.quietSinceMs = Number.POSITIVE_INFINITY;
    schedule.after(forMs, () => {
      links.noise = QUIET;
      world.quietSinceMs = schedule.nowMs;
    });
  },
};

export function inflict(world: World, fault: Fault): void {
  const { chance } = world;
  world.say(() => `FAULT ${fault}`);
  INFLICTIONS[fault](world, 200 + chance.below(chance.of([1_000, 3_000, 6_000])));
}

function some({ chance, living }: World): NodeModel | undefined {
  return living.length > 0 ? chance.of(living) : undefined;
}

function ofSomeRegion(world: World): NodeModel[] {
  const node = some(world);
  return node ? world.living.filter(ofRegion(node.regionId)) : [];
}

function ofRegion(regionId: RegionId): (node: NodeModel) => boolean {
  return (node) => node.regionId === regionId;
}

function idsOf(...nodes: readonly (NodeModel | undefined)[]): End[] {
  return nodes.flatMap((node) => (node ? [node.id] : []));
}

/** From everybody who is not among them. */
function cutOff(world: World, ids: readonly End[], forMs: number): void {
  const others = world.living.map(({ id }) => id).filter((id) => !ids.includes(id));
  cutAll(world, ["core", ...others], ids, forMs);
}

function cutAll(world: World, some: readonly End[], others: readonly End[], forMs: number): void {
  for (const one of some) {
    for (const other of others) {
      if (one === other) continue;
      cut(world, one, other, "drops", forMs);
      cut(world, other, one, "drops", forMs);
    }
  }
}

function cut(world: World, from: End, to: End, way: Way, forMs: number): void {
  world.links.set(from, to, way);
  world.schedule.after(forMs, () => world.links.set(from, to, undefined));
}
