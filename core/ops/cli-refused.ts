/** The operators' commands about changes of players' state that were refused. */
import { Done } from "../../shared/protocol/link.ts";
import { RefusedAnswer } from "../../shared/protocol/ops.ts";
import type { OpsCall } from "./cli-client.ts";
import { table } from "./cli-text.ts";

type Calling = <T>(request: OpsCall<T>) => Promise<T>;

/** A change is shown so far in the table; `--json` shows it whole. */
const SHOWN_CHARACTERS = 60;

/** @returns what to print */
export async function listRefused(
  call: Calling,
  options: { readonly player?: string | undefined; readonly json: boolean },
): Promise<string> {
  const { player, json } = options;
  const query = player === undefined ? "" : `?player=${encodeURIComponent(player)}`;
  const { changes } = await call({ path: `/ops/refused${query}`, answer: RefusedAnswer });
  if (json) return JSON.stringify(changes, undefined, 2);
  if (changes.length === 0) return "No refused change is unresolved.";
  const rows = changes.map(({ id, reason, refusedAt, change }) => {
    const { playerId, collection, stateEpoch: _, format: __, ...what } = change;
    return [String(id), refusedAt, reason, playerId, collection, shortened(JSON.stringify(what))];
  });
  return table([["ID", "REFUSED", "REASON", "PLAYER", "COLLECTION", "CHANGE"], ...rows]);
}

export async function resolveRefused(
  call: Calling,
  verb: "apply" | "drop",
  id: string,
): Promise<string> {
  const path = `/ops/refused/${encodeURIComponent(id)}/${verb}`;
  await call({ method: "POST", path, answer: Done });
  return verb === "apply" ? `change ${id} is made.` : `change ${id} is dropped.`;
}

function shortened(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
