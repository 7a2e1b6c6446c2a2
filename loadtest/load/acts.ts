/** What is done to the servers while players play: a region is taken away, or nodes are replaced one by one. */
import { spawn } from "node:child_process";
import type { z } from "zod";
import { callOps } from "../../core/ops/cli-client.ts";
import { type Clock, sleep } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { EvacuationAnswer, FailoverPlan } from "../../shared/protocol/ops-failover.ts";
import type { Strike } from "./options.ts";
import { regionLoads, type ServerWatch, unprotectedRooms } from "./server-watch.ts";
import type { Target } from "./target.ts";
import type { Timeline } from "./timeline.ts";
import { UsageError } from "./usage-error.ts";

export interface ActContext {
  readonly target: Target;
  readonly watch: ServerWatch;
  readonly timeline: Timeline;
  /** Of the whole run. */
  readonly players: number;
  /** Players who are waited for before anything is done. */
  readonly readyWithinMs: number;
  readonly clock: Clock;
  /** The run is over. */
  readonly signal: AbortSignal;
}

/** Whom a drill struck. */
export interface Struck {
  readonly regionId: string;
  readonly how: Strike;
  readonly players: number;
}

const EVACUATION_ROOMS_PER_S = 1_000;
const BETWEEN_NODES_MS = 2_000;
const COMMAND_DEADLINE_MS = 30 * 60_000;
/** So much of a time plot shows what it was like before. */
const BEFORE_MS = 3_000;

/**
 * Takes a region away once everybody plays and each room has a copy.
 * @param wanted the region; empty for that with most players
 * @returns undefined when the run was over before
 * @throws when there is nobody to strike
 */
export async function strike(
  context: ActContext,
  { how, wanted }: { readonly how: Strike; readonly wanted: string },
): Promise<Struck | undefined> {
  const { watch, timeline, signal, clock } = context;
  await allReady(context);
  await sleep(clock, BEFORE_MS, signal);
  if (signal.aborted) return undefined;
  const loads = watch.status ? regionLoads(watch.status) : [];
  const [fullest] = loads
    .filter(({ regionId }) => wanted === "" || regionId === wanted)
    .sort((a, b) => b.players - a.players);
  if (!fullest || fullest.players === 0) {
    throw new Error(`nobody plays in ${wanted || "any region"}: there is nothing to strike`);
  }
  const { regionId, players } = fullest;
  timeline.note(`${WORDS[how]} ${regionId}, with ${players} players`);
  await STRIKE[how](context, RegionId.parse(regionId));
  return { regionId, how, players };
}

/** Replaces the nodes, one by one in a local world, by the given command elsewhere. */
export async function replaceNodes(context: ActContext, command: string | undefined) {
  const { target, timeline, signal, clock } = context;
  await allReady(context);
  if (signal.aborted) return;
  if (command !== undefined) {
    timeline.note(`begins: ${command}`);
    await runCommand(command, signal);
    timeline.note(`done: ${command}`);
    return;
  }
  for (const [regionId, node] of target.world?.regions ?? []) {
    await sleep(clock, BETWEEN_NODES_MS, signal);
    if (signal.aborted) return;
    timeline.note(`the node of ${regionId} is replaced`);
    await node.succeed();
    timeline.note(`the next node of ${regionId} runs`);
  }
}

/** @throws UsageError when the target can't be struck in that way */
export function strikeFor(target: Target, asked: Strike | undefined): Strike {
  const how = asked ?? (target.world ? "kill" : "failover");
  if (how !== "kill" && !target.ops) {
    throw new UsageError(
      "a failover drill needs --ops URL, the core's private port, and MERIDIAN_OPERATOR_TOKEN",
    );
  }
  return how;
}

const WORDS: Readonly<Record<Strike, string>> = {
  kill: "SIGKILL to all of",
  failover: "failover of",
  evacuate: "evacuation of",
};

const STRIKE: Readonly<Record<Strike, (context: ActContext, id: RegionId) => Promise<void>>> = {
  async kill({ target }, id) {
    // The node first: with its Redis gone it might still say goodbye.
    target.world?.regions.get(id)?.knockOut();
    target.world?.redis.get(id)?.knockOut();
  },
  async failover(context, regionId) {
    await call(context, "/ops/failover", { regionId, dryRun: false }, FailoverPlan);
  },
  async evacuate(context, regionId) {
    const body = { regionId, roomsPerS: EVACUATION_ROOMS_PER_S, dryRun: false };
    await call(context, "/ops/evacuations", body, EvacuationAnswer);
  },
};

function call<T>({ target }: ActContext, path: string, body: unknown, answer: z.ZodType<T>) {
  if (!target.ops) throw new Error("nobody said how operators reach the core");
  return callOps(target.ops, { method: "POST", path, body, answer });
}

/** Until everybody plays and no room is without a copy, or time is up: the report shows what it was then. */
async function allReady(context: ActContext): Promise<void> {
  const { target, watch, players, readyWithinMs, signal, timeline, clock } = context;
  if (!target.ops) return sleep(clock, readyWithinMs, signal);
  const isReady = await watch.until(
    (status) => status.playersOnline >= players && unprotectedRooms(status) === 0,
    { withinMs: readyWithinMs, signal },
  );
  if (isReady || signal.aborted || !watch.status) return;
  const { playersOnline } = watch.status;
  timeline.note(
    `not all is ready: ${playersOnline} of ${players} play, ${unprotectedRooms(watch.status)} rooms without a copy`,
  );
}

async function runCommand(command: string, signal: AbortSignal): Promise<void> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(COMMAND_DEADLINE_MS)]);
  const child = spawn(command, { shell: true, stdio: ["ignore", "ignore", "inherit"] });
  const kill = () => child.kill();
  ended.addEventListener("abort", kill, { once: true });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  ended.removeEventListener("abort", kill);
  if (code !== 0 && !signal.aborted) throw new Error(`"${command}" ended with ${code}`);
}
