/**
 * One benchmark in a process of its own, as somebody would run it by hand: some of them move to another
 * processor, raise limits or leave compiled code behind, which the next one must not inherit.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { endProcess } from "../../infra/process/pid.ts";
import { systemClock } from "../../shared/clock.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
/** As by hand: Ctrl-C, once more, and what then still runs is killed. */
const END_STEPS = [
  ["SIGINT", 30_000],
  ["SIGINT", 5_000],
  ["SIGKILL", 5_000],
] as const;
const OUTPUT_GRACE_MS = 2_000;
/** No benchmark takes a third of this; one that hangs must not hold up the others for ever. */
const QUICK_DEADLINE_MS = 1_200_000;
const FULL_DEADLINE_MS = 4 * 3_600_000;

export interface Apart {
  readonly name: string;
  readonly quick: boolean;
  /** Of its progress. */
  readonly say: (line: string) => void;
  /** Aborts: the benchmark is ended, in order. */
  readonly signal: AbortSignal;
  /** The program; this one by default. */
  readonly program?: string;
}

/** @returns its figures. @throws when it fails, says nothing at its end, or is called off */
export async function runApart(options: Apart): Promise<Record<string, unknown>> {
  const { name, quick, say, signal, program = MAIN } = options;
  signal.throwIfAborted();
  const child = spawn(process.execPath, [program, name, "--json", ...(quick ? ["--quick"] : [])], {
    // Its own group: a Ctrl-C at the terminal reaches it through this process alone. It ends when the
    // channel does, however this process went.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      // A server that outlived it would hold its output open for ever.
      const stopWaiting = systemClock.after(OUTPUT_GRACE_MS, () => resolve(code ?? 1));
      child.once("close", () => {
        stopWaiting();
        resolve(code ?? 1);
      });
    });
  });
  let lastLine = "";
  let lastError = "";
  const { stdout, stderr, pid = 0 } = child;
  eachLine(stdout, (line) => {
    if (lastLine !== "") say(lastLine);
    lastLine = line;
  });
  eachLine(stderr, (line) => {
    say(line);
    lastError = line;
  });
  let late = false;
  const end = () => {
    if (pid > 0) void endProcess(pid, END_STEPS).catch((error) => say(String(error)));
  };
  const cancel = systemClock.after(quick ? QUICK_DEADLINE_MS : FULL_DEADLINE_MS, () => {
    late = true;
    end();
  });
  signal.addEventListener("abort", end, { once: true });
  try {
    const code = await ended;
    signal.throwIfAborted();
    if (late) throw new Error("it did not end in time");
    if (code !== 0) throw new Error(lastError === "" ? `it ended with ${code}` : lastError);
    const { benchmark, ...figures } = JSON.parse(lastLine) as Record<string, unknown>;
    if (benchmark !== name) throw new Error("it ended without its figures");
    return figures;
  } finally {
    cancel();
    signal.removeEventListener("abort", end);
  }
}

function eachLine(output: Readable | null, take: (line: string) => void): void {
  if (output) createInterface({ input: output }).on("line", take);
}
