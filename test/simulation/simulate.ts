/**
 * One world from one seed: it runs among faults, comes to rest without them, and everybody must be able to
 * play again. The same seed gives the same run, to the byte of its trace.
 */
import { Chance } from "../../shared/chance.testkit.ts";
import type { CrashPoint } from "./crash-points.ts";
import { FAULTS_UNTIL_MS, type Fault, inflict, planFaults } from "./faults.ts";
import { type Parts, PRODUCTION } from "./parts.ts";
import { Violation } from "./violation.ts";
import { World } from "./world.ts";

const REDIS_SYNC_MS = 900;
const SETTLE_MS = 15_000;
/** Longer than a load waits; all of them together are longer than a lost node is waited for. */
const LAST_JOIN_MS = 1_600;
const LAST_JOINS = 4;
const NO_WEATHER = { losesOnceIn: 0, doublesOnceIn: 0, delaysOnceIn: 0, delayMs: 0 };

export interface Outcome {
  readonly seed: number;
  readonly steps: number;
  readonly faults: readonly Fault[];
  readonly crashed: readonly CrashPoint[];
  readonly violation: Violation | undefined;
}

export interface SimulateOptions {
  readonly seed: number;
  readonly parts?: Parts;
  readonly say?: (line: string) => void;
}

export function simulate({ seed, parts = PRODUCTION, say }: SimulateOptions): Outcome {
  const plan = planFaults(new Chance(seed));
  const world = new World({ seed, parts, say, ...plan });
  for (const { atMs, fault } of plan.faults) {
    world.schedule.after(atMs, () => inflict(world, fault));
  }
  for (const redis of world.redises) {
    const sync = () => {
      redis.syncedPosition = redis.history.position;
      world.schedule.after(REDIS_SYNC_MS, sync);
    };
    sync();
  }
  const outcome = () => ({
    seed,
    steps: world.schedule.steps,
    faults: plan.faults.map(({ fault }) => fault),
    crashed: world.crashPlan.crashed,
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
  const { schedule, truth, core } = world;
  schedule.runUntil(FAULTS_UNTIL_MS);
  world.network.weather = NO_WEATHER;
  world.network.cut.clear();
  world.crashPlan.enabled = false;
  world.calm = true;
  settle(world);
  for (const player of world.players.values()) player.admissions = 0;
  for (let round = 0; round < LAST_JOINS && !everybodyPlays(world); round += 1) {
    for (const player of world.players.values()) if (player.admissions === 0) player.join();
    schedule.runUntil(schedule.nowMs + LAST_JOIN_MS, () => everybodyPlays(world));
  }
  if (!everybodyPlays(world)) {
    const stuck = [...world.players.values()].filter(({ admissions }) => admissions === 0);
    const story = stuck.map(({ id }) => `${id} ${JSON.stringify(core.database.owners.get(id))}`);
    throw new Violation("everybody can play again", story.join("; "));
  }
  settle(world);
  truth.checkValue(core.database);
}

/** Lets everything come to rest that was begun. */
function settle(world: World): void {
  const { schedule, truth, core } = world;
  const endMs = schedule.nowMs + SETTLE_MS;
  // What is on its way or stands still first has to arrive.
  schedule.runUntil(schedule.nowMs + 1_500);
  schedule.runUntil(endMs, () => isAtRest(world));
  if (!isAtRest(world)) {
    const busy = world.living.filter((node) => !node.isIdle).map(({ id }) => id);
    throw new Violation("everything comes to rest", busy.join(", "));
  }
  truth.settled((playerId) => core.documentsOf(playerId));
  truth.checkValue(core.database);
}

function isAtRest({ nodes, rooms, core, redises, schedule }: World): boolean {
  const idle = [...nodes.values()].every((node) => node.dead || node.isIdle);
  const streams = redises.every((redis) =>
    redis.list().every((id) => {
      const writer = id.split("/")[0] as never;
      return (redis.aliveUntilMs.get(writer) ?? 0) > schedule.nowMs;
    }),
  );
  return idle && streams && !core.down && rooms.every((room) => room.isAtRest);
}

function everybodyPlays({ players }: World): boolean {
  return [...players.values()].every(({ admissions }) => admissions > 0);
}
