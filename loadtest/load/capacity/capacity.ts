/**
 * `npm run load -- capacity`: how many players a node of a region takes. The limit is printed, and stored at the core,
 * whose admission goes by it.
 */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { callOps } from "../../../core/ops/cli-client.ts";
import { RegionId } from "../../../shared/ids.ts";
import { bundleScript } from "../k6-bundle.ts";
import type { AskedFor } from "../options.ts";
import { makeOutDir } from "../output.ts";
import { k6For, type Surroundings, withTarget } from "../scenario-run.ts";
import type { Target } from "../target.ts";
import { UsageError } from "../usage-error.ts";
import { type CapacityResult, resultText } from "./capacity-result.ts";
import { restoreLimits } from "./lift-limits.ts";
import { searchCapacity } from "./search-capacity.ts";

/** Of what the core stores. */
const EVIDENCE_MAX = 500;

type Asked = Extract<AskedFor, { kind: "capacity" }>;

/** @returns whether a limit was found, and stored where it was to be */
export async function capacityByOptions(asked: Asked, around: Surroundings): Promise<boolean> {
  const { run, capacity } = asked;
  const region = RegionId.safeParse(capacity.region);
  if (!region.success) throw new UsageError(`--region ${capacity.region} is no region's name`);
  const k6Binary = await k6For(around);
  const dir = makeOutDir(run.out, "capacity", around.clock.nowMs());
  const script = await bundleScript(run.scenario.name, dir);
  // The limit is looked for, so nothing may be refused before it.
  const env = { REGION_CAPACITY: String(capacity.plan.most), ADMISSION_HEADROOM: "0" };
  const use = async (target: Target) => {
    if (!target.ops) {
      throw new UsageError("capacity needs --ops URL, the core's private port, and a token");
    }
    const setup = { run, capacity, target, k6Binary, script, dir, around };
    const { ops } = target;
    const found = await searchCapacity(setup).finally(() =>
      restoreLimits(ops, region.data, around.say),
    );
    write(dir, found);
    const stored = !capacity.dryRun && found.playersPerNode > 0;
    if (stored) await store(target, found, dir);
    const result = { ...found, stored };
    write(dir, result);
    around.say(`\n${resultText(result, dir)}`);
    if (run.json) around.say(JSON.stringify({ ...result, dir }));
    return result.playersPerNode > 0;
  };
  return withTarget(run, around, join(dir, "logs"), use, env);
}

function write(dir: string, result: CapacityResult): void {
  writeFileSync(join(dir, "capacity.json"), `${JSON.stringify(result, undefined, 2)}\n`);
}

async function store({ ops }: Target, found: CapacityResult, dir: string): Promise<void> {
  if (!ops) return;
  const { regionId, playersPerNode, build, measuredAt, hardware, serviceLevel } = found;
  const notes = [
    `${found.steps.length} steps, limits ${found.limits.join(", ")}`,
    ...found.doubts,
    `report in ${basename(dir)}`,
  ];
  await callOps(ops, {
    method: "POST",
    path: `/ops/regions/${encodeURIComponent(regionId)}/capacity`,
    body: {
      playersPerNode,
      build,
      measuredAt,
      hardware,
      serviceLevel,
      evidence: notes.join("; ").slice(0, EVIDENCE_MAX),
    },
    answer: z.unknown(),
  }).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${regionId} takes ${playersPerNode} players a node, not stored: ${why}`, {
      cause,
    });
  });
}
