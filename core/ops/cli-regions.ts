/** The operators' commands that end a region's life: fence, and its end. */
import { createInterface } from "node:readline/promises";
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import type { OpsCall } from "./cli-client.ts";
import { fencedText, fenceQuestion } from "./cli-text.ts";
import { FenceAnswer, UnfenceAnswer } from "./schemas.ts";

type Calling = <T>(request: OpsCall<T>) => Promise<T>;

export interface FenceOptions {
  /** Done without being asked. */
  readonly yes: boolean;
  readonly json: boolean;
  /** Asks whoever sits there; undefined where nobody does. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
}

/**
 * @returns what to print
 * @throws when nobody can be asked and nobody said yes before, or the answer is no
 */
export async function fenceRegion(
  call: Calling,
  regionId: string,
  { yes, json, confirm }: FenceOptions,
): Promise<string> {
  if (!yes) {
    if (!confirm) throw new Error("fence ends rooms: say --yes where nobody can be asked");
    const { regions } = await call({ path: "/ops/status", answer: StatusAnswer });
    const region = regions.find((one) => one.regionId === regionId);
    if (region && !(await confirm(fenceQuestion(region)))) throw new Error("nothing was done");
  }
  const answer = await call({ method: "POST", path: pathOf(regionId), answer: FenceAnswer });
  return json ? JSON.stringify(answer, undefined, 2) : fencedText(answer);
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

/** Asks on the terminal, if there is one. Only a `y` is a yes. */
export function terminalConfirm(): FenceOptions["confirm"] {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return async (question) => {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
    } finally {
      terminal.close();
    }
  };
}

function pathOf(regionId: string): string {
  return `/ops/regions/${encodeURIComponent(regionId)}/fence`;
}
