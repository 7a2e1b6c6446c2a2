/** The operators' commands that end a region's life: fence, and its end. */
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import type { OpsCall } from "./cli-client.ts";
import { type Confirmation, requireConfirmed } from "./cli-confirm.ts";
import { fencedText, fenceQuestion } from "./cli-text.ts";
import { FenceAnswer, UnfenceAnswer } from "./schemas.ts";

type Calling = <T>(request: OpsCall<T>) => Promise<T>;

export interface FenceOptions extends Confirmation {
  readonly json: boolean;
}

/**
 * @returns what to print
 * @throws when nobody can be asked and nobody said yes before, or the answer is no
 */
export async function fenceRegion(
  call: Calling,
  regionId: string,
  options: FenceOptions,
): Promise<string> {
  const what = async () => {
    const { regions } = await call({ path: "/ops/status", answer: StatusAnswer });
    const region = regions.find((one) => one.regionId === regionId);
    return region ? fenceQuestion(region) : `There is no region "${regionId}".`;
  };
  await requireConfirmed(options, { command: "fence", name: regionId, what });
  const answer = await call({ method: "POST", path: pathOf(regionId), answer: FenceAnswer });
  return options.json ? JSON.stringify(answer, undefined, 2) : fencedText(answer);
}

/** @returns what to print */
export async function unfenceRegion(
  call: Calling,
  regionId: string,
  { json }: { readonly json: boolean },
): Promise<string> {
  const answer = await call({ method: "DELETE", path: pathOf(regionId), answer: UnfenceAnswer });
  if (json) return JSON.stringify(answer, undefined, 2);
  if (answer.wanted === "draining") return `${regionId} was not fenced: it is drained (undrain).`;
  return `${regionId} takes players again, under epoch ${answer.regionEpoch.join(".")}.`;
}

function pathOf(regionId: string): string {
  return `/ops/regions/${encodeURIComponent(regionId)}/fence`;
}
