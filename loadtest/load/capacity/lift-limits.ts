/** While a limit is looked for, those that admission has of the region don't count: they would hold the load back. */
import { callOps, type OpsClientOptions } from "../../../core/ops/cli-client.ts";
import { LiftAnswer } from "../../../shared/protocol/ops-capacity.ts";

/** Longer than a step takes: asked for before each, so that it ends soon where the search is killed. */
const LIFT_S = 900;

/** Before a step. */
export function liftLimits(ops: OpsClientOptions, regionId: string): Promise<void> {
  return lift(ops, regionId, LIFT_S);
}

/** After the last one. Never rejects: without it they count again by themselves. */
export async function restoreLimits(
  ops: OpsClientOptions,
  regionId: string,
  say: (line: string) => void,
): Promise<void> {
  await lift(ops, regionId, 0).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    say(`the limits of ${regionId} count again within ${LIFT_S / 60} minutes: ${why}`);
  });
}

async function lift(ops: OpsClientOptions, regionId: string, forS: number): Promise<void> {
  await callOps(ops, {
    method: "POST",
    path: `/ops/regions/${encodeURIComponent(regionId)}/capacity/lift`,
    body: { forS },
    answer: LiftAnswer,
  });
}
