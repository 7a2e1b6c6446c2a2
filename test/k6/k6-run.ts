/** Runs a script of `loadtest/k6` by real k6, and tells how it ended. */
import { spawn } from "node:child_process";
import { findK6 } from "../../loadtest/load/k6-binary.ts";
import { bundleScript } from "../../loadtest/load/k6-bundle.ts";

/** What k6 ends with when a threshold is crossed. */
export const THRESHOLD_CROSSED = 99;
const WORDS_MAX = 20_000;

export interface K6Run {
  readonly code: number | null;
  /** All that it wrote: figures, and each failure with its kind. */
  readonly words: string;
}

/**
 * @param env what `k6 run -e` sets
 * @param signal ends it
 */
export async function runK6(
  script: string,
  env: Readonly<Record<string, string | number>>,
  signal: AbortSignal,
): Promise<K6Run> {
  const [k6, bundle] = await Promise.all([findK6({ signal }), bundleScript(script)]);
  const settings = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  // Without an address of its own: two at a time would quarrel about the usual one.
  const own = ["--quiet", "--no-color", "--no-usage-report", "--address", ""];
  const child = spawn(k6, ["run", ...own, ...settings, bundle], { signal });
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
