/**
 * One process of k6: started, its samples read as they come, ended.
 *
 * Samples come over its standard output, as JSON. What else there is to choose from: the REST API and the summary know
 * no windows of time, only the run so far; the outputs to Prometheus and OpenTelemetry need a server and bring totals
 * since the start as well. A sample costs k6 1 µs of processor time this way, beside the 9 µs that it takes to make it, and
 * this process 0.5 µs when it is dropped (medians of 400,000 samples each).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { endProcess } from "../../infra/process/pid.ts";
import { isMetricLine, readSample, type Sample } from "./k6-sample.ts";

export interface K6Options {
  readonly binary: string;
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where k6 writes its own summary, with the thresholds. */
  readonly summaryFile: string;
  /** Takes all that k6 says in words. */
  readonly logFile: string;
  readonly onSample: (sample: Sample) => void;
  /** Runs it on that processor alone. */
  readonly processor?: number;
}

/** How k6 ended. */
export interface K6End {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** The last lines that it said. */
  readonly lastWords: string;
}

export interface K6Process {
  readonly pid: number;
  readonly ended: Promise<K6End>;
  /** Ends the run before its time; players leave if they can. */
  stop(): Promise<void>;
  kill(): void;
}

/** k6 leaves its players some time after the first signal, and none after the second. */
const STOP_STEPS = [
  ["SIGINT", 4_000],
  ["SIGINT", 1_000],
  ["SIGKILL", 2_000],
] as const;
const LAST_WORDS_MAX = 2_000;
/** Its exit code then. */
export const K6_THRESHOLDS_FAILED = 99;

/** @throws when it can't be started */
export async function startK6(options: K6Options): Promise<K6Process> {
  const { binary, script, env, summaryFile, logFile, onSample, processor } = options;
  const given = Object.entries(env).flatMap(([key, value]) => ["-e", `${key}=${value}`]);
  const args = ["run", "--quiet", "--no-color", "--no-usage-report", "--out", "json=-"];
  args.push("--summary-export", summaryFile, ...given, script);
  const pinned = processor === undefined ? [] : ["taskset", "-c", String(processor)];
  const [program = binary, ...rest] = [...pinned, binary, ...args];
  const child = spawn(program, rest, {
    // Its own group: on a Ctrl-C this process ends it, before its servers.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: processor === undefined ? process.env : { ...process.env, GOMAXPROCS: "1" },
  });
  await started(child);
  const log = createWriteStream(logFile, { mode: 0o600 });
  let lastWords = "";
  const heard = (line: string) => {
    log.write(`${line}\n`);
    lastWords = `${lastWords}${line}\n`.slice(-LAST_WORDS_MAX);
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (!isMetricLine(line)) return heard(line);
    const sample = readSample(line);
    if (sample) onSample(sample);
  });
  createInterface({ input: child.stderr }).on("line", heard);
  const pid = child.pid ?? 0;
  const ended = new Promise<K6End>((resolve) => {
    child.once("close", (code) => {
      log.end(() => resolve({ code, lastWords: lastWords.trim() }));
    });
  });
  return {
    pid,
    ended,
    stop: () => endProcess(pid, STOP_STEPS),
    kill: () => void child.kill("SIGKILL"),
  };
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
}
