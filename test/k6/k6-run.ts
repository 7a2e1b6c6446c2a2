/** Runs a script of `loadtest/k6` by real k6, and tells how it ended. */
import { spawn } from "node:child_process";
import { findK6, k6Path } from "../../loadtest/load/k6-binary.ts";
import { bundleScript } from "../../loadtest/load/k6-bundle.ts";

/** What k6 ends with when a threshold is crossed. */
export const THRESHOLD_CROSSED = 99;
/** It has to come up, log players in, and have them play: on a busy machine too. */
export const K6_MS_MAX = 60_000;
const RUN_MS_MAX = 150_000;
const WORDS_MAX = 20_000;

/** What `k6 run -e` sets. */
export type Settings = Readonly<Record<string, string | number>>;

export interface K6Run {
  readonly code: number | null;
  /** All that it wrote: figures, and each failure with its kind. */
  readonly words: string;
}

/** Why these tests can't be run on this machine; a build server must be able to. */
export function skipWithoutK6(): string | false {
  if (k6Path() !== undefined) return false;
  const problem = "k6 is not installed: npm run k6";
  if (process.env.CI) throw new Error(problem);
  return problem;
}

/** In place of a world, where k6 is missing. */
export function noWorld(): never {
  throw new Error("without k6 there is nothing to run against a world");
}

/** Made once a process, of those that it runs. */
const bundles = new Map<string, Promise<string>>();

/**
 * @param signal ends it
 * @param heard told what it wrote so far, at each word
 */
export async function runK6(
  script: string,
  settings: Settings,
  signal: AbortSignal,
  heard: (words: string) => void = () => {},
): Promise<K6Run> {
  const bundling = bundles.get(script) ?? bundleScript(script);
  bundles.set(script, bundling);
  const [k6, bundle] = await Promise.all([findK6({ signal }), bundling]);
  const given = Object.entries(settings).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  // Without an address of its own: two at a time would quarrel about the usual one.
  const own = ["--quiet", "--no-color", "--no-usage-report", "--address", ""];
  const child = spawn(k6, ["run", ...own, ...given, bundle], {
    signal: AbortSignal.any([signal, AbortSignal.timeout(RUN_MS_MAX)]),
    killSignal: "SIGKILL",
  });
  let words = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      words = `${words}${text}`.slice(-WORDS_MAX);
      heard(words);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (cause) => reject(new Error(words, { cause })));
    child.once("close", resolve);
  });
  return { code, words };
}
