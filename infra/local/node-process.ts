/** Starts one Node process of the world and waits until it is ready. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { sleep, systemClock } from "../../shared/clock.ts";
import { lastLines, truncateLog } from "../process/log-file.ts";
import { type EndStep, endProcess } from "../process/pid.ts";
import { type ServerProcess, serverProcess, watchChild } from "../process/server-process.ts";

export interface NodeProcessOptions {
  /** The program's `main.ts`. */
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Answers 200 when the process is ready. */
  readonly readyUrl: string;
  readonly signal: AbortSignal;
  /** The former life, which answers at `readyUrl` until it has ended. */
  readonly predecessor?: ServerProcess | undefined;
  /** Told the process's number as soon as it runs. */
  readonly onSpawned: (pid: number) => void;
}

const READY_DEADLINE_MS = 30_000;
const POLL_MS = 50;
const PROBE_MS = 1_000;
const STOP_STEPS: readonly EndStep[] = [
  ["SIGTERM", 2_000],
  ["SIGKILL", 500],
];
/** As pino numbers levels. */
const LEVEL_ERROR = 50;
/** How the mains tell what they can't start for. */
const CANT_START = /^(?:core|region|dns): can't start: (.*)$/;
const PARENT_WATCH = fileURLToPath(import.meta.resolve("./parent-watch.mjs"));

/** @throws one clear line that ends with the process's last words */
export async function startNodeProcess(options: NodeProcessOptions): Promise<ServerProcess> {
  const { logFile, readyUrl, signal, predecessor } = options;
  let alone = predecessor === undefined;
  void predecessor?.ended.then(() => {
    alone = true;
  });
  const { pid, ended, failure } = spawnNode(options);
  if (pid !== undefined) options.onSpawned(pid);
  const endMs = systemClock.monotonicMs() + READY_DEADLINE_MS;
  while (pid !== undefined && failure() === undefined && !signal.aborted) {
    if (systemClock.monotonicMs() >= endMs) break;
    if (alone && (await isReady(readyUrl))) return serverProcess(pid, STOP_STEPS, ended);
    await sleep(systemClock, POLL_MS, signal);
  }
  const why = failure() ?? (signal.aborted ? "called off" : "not ready in time");
  if (pid !== undefined) await endProcess(pid, STOP_STEPS);
  throw new StartError(why, lastWords(logFile, pid), logFile);
}

/** A process that did not become ready. */
export class StartError extends Error {
  /** What it said last. */
  readonly words: string;

  constructor(why: string, words: string, logFile: string) {
    super(`${why}: ${words} (${logFile})`);
    this.name = "StartError";
    this.words = words;
  }
}

function spawnNode({ file, env, logFile, predecessor }: NodeProcessOptions) {
  truncateLog(logFile);
  const output = openSync(logFile, "a", 0o600);
  try {
    const child = spawn(process.execPath, ["--import", PARENT_WATCH, file], {
      env: {
        ...process.env,
        ...env,
        ...(predecessor && { PREDECESSOR_PID: String(predecessor.pid) }),
      },
      // Its own group: a Ctrl-C on the terminal reaches only the world, which stops in order.
      detached: true,
      stdio: ["ignore", output, output, "ipc"],
    });
    return watchChild(child);
  } finally {
    closeSync(output);
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    // Not listening yet, or too slow: the caller asks again until its deadline.
    return false;
  }
}

/** What that process said last that is worth a line: the newest error, else the newest line. */
function lastWords(logFile: string, pid: number | undefined): string {
  const lines = lastLines(logFile)
    .map(messageOf)
    .filter((line) => line.pid === undefined || line.pid === pid);
  const telling = lines.findLast(({ level }) => level >= LEVEL_ERROR) ?? lines.at(-1);
  return telling?.text ?? "it logged nothing";
}

function messageOf(line: string): { level: number; pid?: number; text: string } {
  try {
    const { level, pid, msg, err } = JSON.parse(line);
    const cause = typeof err?.message === "string" ? `: ${err.message}` : "";
    return { level: Number(level), pid, text: `${msg}${cause}` };
  } catch {
    // Not of its log: what it could not start for, or something that Node printed by itself.
    const problem = CANT_START.exec(line)?.[1];
    return problem === undefined ? { level: 0, text: line } : { level: LEVEL_ERROR, text: problem };
  }
}
