/**
 * Processes that a benchmark starts for itself: they report over a channel, and end with the benchmark
 * however that ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endProcess } from "../../infra/process/pid.ts";

const PARENT_WATCH = fileURLToPath(import.meta.resolve("../../infra/local/parent-watch.mjs"));
/** Nothing in them is worth a tidy end. */
const STOP_STEPS = [["SIGKILL", 5_000]] as const;
const ANSWER_DEADLINE_MS = 120_000;

export interface ChildOptions {
  /** The program. */
  readonly file: string;
  readonly nodeOptions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Open files that it should have, as far as the system lets it. */
  readonly openFiles?: number;
}

export class Child {
  readonly #process: ChildProcess;
  readonly #dir: string;

  private constructor(child: ChildProcess, dir: string) {
    this.#process = child;
    this.#dir = dir;
  }

  /** @returns the child, and the first thing that it says */
  static async start<Ready>(options: ChildOptions): Promise<[Child, Ready]> {
    const { file, nodeOptions = [], env = {}, openFiles } = options;
    const args = [...nodeOptions, "--import", PARENT_WATCH, file];
    // Node takes all that the hard limit allows; only a shell raises that, where it may.
    const raise = openFiles === undefined ? "" : `ulimit -n ${openFiles} 2>/dev/null; `;
    // It is killed, so that it can't remove its temporary files itself.
    const dir = mkdtempSync(join(tmpdir(), "meridian-bench-child-"));
    const child = spawn("sh", ["-c", `${raise}exec "$0" "$@"`, process.execPath, ...args], {
      env: { ...process.env, TMPDIR: dir, ...env },
      // Its own group: on a Ctrl-C the benchmark ends it in order.
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const started = new Child(child, dir);
    try {
      return [started, await started.#next<Ready>()];
    } catch (error) {
      await started.stop();
      throw error;
    }
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Sends a question, and waits for the answer; one at a time. */
  async ask<Answer>(question: unknown): Promise<Answer> {
    const answer = this.#next<Answer>();
    this.#process.send(question as object);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.pid > 0) await endProcess(this.pid, STOP_STEPS);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #next<T>(): Promise<T> {
    const child = this.#process;
    return new Promise((resolve, reject) => {
      const done = (settle: () => void) => {
        clearTimeout(timer);
        child.off("message", heard).off("exit", ended).off("error", failed);
        settle();
      };
      const heard = (message: unknown) => done(() => resolve(message as T));
      const failed = (error: Error) => done(() => reject(error));
      const ended = () => failed(new Error("a process of the benchmark ended"));
      const late = () => failed(new Error("a process of the benchmark does not answer"));
      const timer = setTimeout(late, ANSWER_DEADLINE_MS);
      child.on("message", heard).on("exit", ended).on("error", failed);
    });
  }
}
