/**
 * A database server that runs beside this process: started by it, or by one before it that was killed.
 * It holds nothing up: a process that has no more to do ends, and its server stays.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { type EndStep, endProcess, whenEnded } from "./pid.ts";

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when the server has ended, by itself or by `stop`, with how: `SIGKILL`, `exit 1`. */
  readonly ended: Promise<string>;
  /** Ends the server, within 5 s, in the worst case by SIGKILL. */
  stop(): Promise<void>;
}

export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** A file that all output is appended to. */
  readonly logFile: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
  /**
   * Opened for the server as descriptors from `FIRST_FOLDER_DESCRIPTOR` on: it may then use folders that its
   * user can't walk to.
   */
  readonly folders?: readonly string[];
}

/** After standard input, output and error. */
export const FIRST_FOLDER_DESCRIPTOR = 3;

/** A program that was just launched. */
export interface Launched {
  readonly pid: number | undefined;
  readonly ended: Promise<string>;
  /** How it ended, when it has. */
  failure(): string | undefined;
}

export function launchServer(command: ServerCommand): Launched {
  const { program, args, logFile, folders = [], ...options } = command;
  const opened: number[] = [];
  let child: ChildProcess;
  try {
    const output = openSync(logFile, "a", 0o600);
    opened.push(output);
    for (const folder of folders) opened.push(openSync(folder, "r"));
    child = spawn(program, args, {
      ...options,
      // Standard error is the same as standard output; the folders follow.
      stdio: ["ignore", output, ...opened],
      // Its own group: a Ctrl-C on the terminal must not end it before those who use it.
      detached: true,
    });
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
  child.unref();
  return watchChild(child);
}

/** How a child ends, as words. */
export function watchChild(child: ChildProcess): Launched {
  let failure: string | undefined;
  const ended = new Promise<string>((resolve) => {
    const end = (words: string) => {
      failure = words;
      resolve(words);
    };
    child.once("exit", (code, signal) => end(signal ?? `exit ${code}`));
    child.once("error", (error) => end(error.message));
  });
  return { pid: child.pid, ended, failure: () => failure };
}

/** @param ended of one's own child; without it the process is watched by its number */
export function serverProcess(
  pid: number,
  stopSteps: readonly EndStep[],
  ended: Promise<string> = whenEnded(pid).then(() => "gone"),
): ServerProcess {
  let markStopped = () => {};
  const stopped = new Promise<string>((resolve) => {
    markStopped = () => resolve("stopped");
  });
  return {
    pid,
    ended: Promise.race([ended, stopped]),
    async stop() {
      await endProcess(pid, stopSteps);
      markStopped();
    },
  };
}
