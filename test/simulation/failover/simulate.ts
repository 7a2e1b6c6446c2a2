/**
 * One world of failovers from one seed: it runs among faults, heals, and then everybody must play again, at healthy
 * nodes, within a bound. The same seed gives the same run, to the byte of its trace.
 */
import { Chance } from "../../../shared/chance.testkit.ts";
import { Violation } from "../violation.ts";
import { FAULTS_UNTIL_MS, type Fault, inflict, planFaults } from "./faults.ts";
import { type Parts, PRODUCTION } from "./parts.ts";
import { World } from "./world.ts";

/** A grace, what is under way by then, and the longest calm before a node is healthy again. */
const COMES_BACK_MS = 30_000;
const CHECK_MS = 250;

export interface Outcome {
  readonly seed: number;
  readonly steps: number;
  readonly faults: readonly Fault[];
  readonly failovers: number;
  readonly onlyNoise: boolean;
  readonly violation: Violation | undefined;
}

export interface SimulateOptions {
  readonly seed: number;
  readonly parts?: Parts;
  readonly say?: (line: string) => void;
}

export function simulate({ seed, parts = PRODUCTION, say }: SimulateOptions): Outcome {
  const { faults, onlyNoise } = planFaults(new Chance(seed));
  const world = new World({ seed, parts, onlyNoise, say });
  for (const { atMs, fault } of faults) world.schedule.after(atMs, () => inflict(world, fault));
  const outcome = () => ({
    seed,
    steps: world.schedule.steps,
    faults: faults.map(({ fault }) => fault),
    failovers: world.truth.failovers,
    onlyNoise,
  });
  try {
    run(world);
    return { ...outcome(), violation: undefined };
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    world.say(() => `VIOLATION ${error.message}`);
    return { ...outcome(), violation: error };
  }
}

function run(world: World): void {
  const { schedule, links, players, truth } = world;
  schedule.runUntil(FAULTS_UNTIL_MS);
  links.heal();
  world.onTakeOver = undefined;
  world.quietSinceMs = schedule.nowMs;
  for (const { cutFrom } of players) cutFrom.clear();
  world.say(() => "everything heals");
  const endMs = schedule.nowMs + COMES_BACK_MS;
  while (schedule.nowMs < endMs && !isWell(world)) schedule.runUntil(schedule.nowMs + CHECK_MS);
  if (!isWell(world)) throw new Violation("everybody plays again", storyOf(world));
  world.calm = true;
  schedule.runUntil(schedule.nowMs + 1_500);
  world.over = true;
  truth.checkCoins();
}

function isWell({ core, players, living }: World): boolean {
  if (core.down || !players.every(({ plays }) => plays)) return false;
  return living.every(({ id }) => core.healthOf(id) === "healthy");
}

function storyOf({ core, players, living }: World): string {
  const idle = players.filter(({ plays }) => !plays).map(({ id, roomId }) => `${id} of ${roomId}`);
  const ill = living.filter(({ id }) => core.healthOf(id) !== "healthy");
  const nodes = ill.map(({ id }) => `${id} ${core.healthOf(id)}`);
  const rooms = [...core.rooms.rows].map(([id, { state, nodeId }]) => `${id} ${state} ${nodeId}`);
  return [...idle, ...nodes, ...rooms].join("; ");
}
