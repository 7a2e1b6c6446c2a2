/** The operators' commands about the queue: how it stands, classes of players, openings of regions. */
import type { OpeningInfo } from "../../shared/protocol/openings.ts";
import { OpeningInfo as OpeningAnswer, OpeningsAnswer } from "../../shared/protocol/openings.ts";
import { AdmissionClassAnswer, QueueStatusAnswer } from "../../shared/protocol/ops.ts";
import { commitmentOf, drawnNumber } from "../admission/draw.ts";
import type { OpsCall } from "./cli-client.ts";
import { openingsText, openingText, queueText } from "./queue-text.ts";

type Calling = <T>(request: OpsCall<T>) => Promise<T>;

/** @returns what to print */
export async function showQueue(
  call: Calling,
  { json, watch }: { readonly json: boolean; readonly watch: boolean },
): Promise<string> {
  const status = await call({ path: "/ops/queue", answer: QueueStatusAnswer });
  return json ? JSON.stringify(status, undefined, watch ? 0 : 2) : queueText(status);
}

/** @param name of the class; `none` for that of everybody */
export async function classPlayer(call: Calling, playerId: string, name: string): Promise<string> {
  const path = `/ops/players/${encodeURIComponent(playerId)}/admission-class`;
  const body = { class: name === "none" ? null : name };
  const answer = await call({ method: "PUT", path, body, answer: AdmissionClassAnswer });
  return `${playerId} waits ${answer.class === null ? "as everybody does" : `in the class ${answer.class}`}, from the next place on.`;
}

export async function scheduleOpening(
  call: Calling,
  regionId: string,
  at: string,
): Promise<string> {
  const path = pathOf(regionId);
  const body = { opensAt: at };
  return openingText(await call({ method: "PUT", path, body, answer: OpeningAnswer }));
}

export async function cancelOpening(call: Calling, regionId: string): Promise<string> {
  await call({ method: "DELETE", path: pathOf(regionId), answer: OpeningAnswer });
  return `${regionId} is open: who waited for the opening is let in in the order that was drawn.`;
}

export async function listOpenings(
  call: Calling,
  { json }: { readonly json: boolean },
): Promise<string> {
  const answer = await call({ path: "/ops/openings", answer: OpeningsAnswer });
  return json ? JSON.stringify(answer, undefined, 2) : openingsText(answer.openings);
}

/**
 * What the player drew at the region's last opening, worked out here from what the core publishes.
 * @throws when nothing can be checked yet, or the seed is not the one that was promised
 */
export async function verifyOpening(
  call: Calling,
  regionId: string,
  playerId: string,
): Promise<string> {
  const { openings } = await call({ path: "/ops/openings", answer: OpeningsAnswer });
  return verifiedText(openings, regionId, playerId);
}

export function verifiedText(
  openings: readonly OpeningInfo[],
  regionId: string,
  playerId: string,
): string {
  const opened = openings.filter((one) => one.regionId === regionId && one.draw !== null).at(-1);
  if (!opened?.draw) throw new Error(`no opening of ${regionId} has its seed told yet`);
  const { commitment, draw } = opened;
  const seed = Buffer.from(draw.seed, "hex");
  if (commitmentOf(seed).toString("hex") !== commitment) {
    throw new Error("the seed is not the one whose hash was told before the opening");
  }
  const share = (drawnNumber(seed, playerId, draw) - draw.firstNumber) / draw.numbers;
  return [
    "the seed is the one whose hash was told before the opening.",
    `${playerId} drew the number ${drawnNumber(seed, playerId, draw)}: ` +
      `behind ${(share * 100).toFixed(2)}% of all numbers.`,
  ].join("\n");
}

function pathOf(regionId: string): string {
  return `/ops/regions/${encodeURIComponent(regionId)}/opening`;
}
