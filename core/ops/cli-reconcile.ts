/** `npm run ops -- reconcile`: waits for a look at all money and items, and says what is wrong. */
import { sleep, systemClock } from "../../shared/clock.ts";
import { ReconcileStatus } from "../value/differences.ts";
import type { OpsCall } from "./cli-client.ts";
import { table } from "./cli-text.ts";

const POLL_MS = 200;

type Call = <T>(request: OpsCall<T>) => Promise<T>;

/** @throws when the look did not come to its end */
export async function reconcile(call: Call): Promise<{ text: string; agrees: boolean }> {
  const path = "/ops/reconcile";
  const begun = await call({ method: "POST", path, answer: ReconcileStatus });
  // A round that was under way already is not what was asked for.
  const awaited = begun.runs + 1;
  let status = begun;
  while (status.running || status.runs < awaited) {
    await sleep(systemClock, POLL_MS);
    status = await call({ path, answer: ReconcileStatus });
  }
  if (status.failure !== null) throw new Error(`it was not looked at: ${status.failure}`);
  return { text: textOf(status), agrees: status.total === 0 };
}

function textOf({ total, differences }: ReconcileStatus): string {
  if (total === 0) return "money and items are what the operations say.";
  const rows = differences.map(({ kind, subject, expected, actual }) => [
    kind,
    subject,
    expected,
    actual,
  ]);
  const more = total > differences.length ? [`and ${total - differences.length} more`] : [];
  return [table([["WHAT", "WHICH", "SHOULD BE", "IS"], ...rows]), ...more].join("\n");
}
