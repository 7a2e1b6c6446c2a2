/** Runs a script of `loadtest/k6` by real k6, and tells how it ended. */
import { spawn } from "node:child_process";
import { findK6 } from "../../loadtest/load/k6-binary.ts";
import { bundleScript } from "../../loadtest/load/k6-bundle.ts";

/** What k6 ends with when a threshold is crossed. */
export const THRESHOLD_CROSSED = 99;
/** It has to come up, log players in, and have them play: on a busy machine too. */
export const K6_MS_MAX = 60_000;
const WORDS_MAX = 20_000;

/** What `k6 run -e` sets. */
export type Settings = Readonly<Record<string, string | number>>;

export interface K6Run {
  readonly code: number | null;
  /** All that it wrote: figures, and each failure with its kind. */
  readonly words: string;
}

/** @param signal ends it */
export async function runK6(
  script: string,
  settings: Settings,
  signal: AbortSignal,
): Promise<K6Run> {
  const [k6, bundle] = await Promise.all([findK6({ signal }), bundleScript(script)]);
  const given = Object.entries(settings).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  // Without an address of its own: two at a time would quarrel about the usual one.
  const own = ["--quiet", "--no-color", "--no-usage-report", "--address", ""];
  const child = spawn(k6, ["run", ...own, ...given, bundle], { signal });
  let words = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      words = `${words}${text}`.slice(-WORDS_MAX);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, words };
}
