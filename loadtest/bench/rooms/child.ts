/**
 * A child process of the benchmark, on its parent's side. It can be frozen, so that those whose turn it
 * is not cost nothing, and is killed when it does not end by itself.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Clock, sleep } from "../../../shared/clock.ts";
import type { Answer, Question } from "./answer-parent.ts";

/** Joining a thousand players is the longest that is asked of one. */
const ANSWER_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 2_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Child {
  readonly #name: string;
  readonly #clock: Clock;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #gone: Promise<unknown>;
  #questions = 0;

  /** @param file beside this one */
  constructor(file: string, clock: Clock) {
    this.#name = file;
    this.#clock = clock;
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)));
    this.#process.on("message", (answer: Answer) => this.#answered(answer));
    this.#process.once("exit", () => this.#failAll("has ended"));
    this.#gone = once(this.#process, "exit");
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`${this.#name} did not start`);
    return this.#process.pid;
  }

  /** @throws what went wrong there, or that there was no answer */
  async ask<Value>(name: string, argument?: unknown): Promise<Value> {
    const id = this.#questions++;
    const late = this.#clock.after(ANSWER_DEADLINE_MS, () => this.#failAll("does not answer"));
    try {
      return await new Promise<Value>((resolve, reject) => {
        this.#waiting.set(id, { resolve: (value) => resolve(value as Value), reject });
        const question: Question = { id, name, argument };
        this.#process.send(question, (error) => error && reject(error));
      });
    } finally {
      late();
      this.#waiting.delete(id);
    }
  }

  freeze(): void {
    this.#process.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process.kill("SIGCONT");
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.thaw();
    if (this.#process.connected) this.#process.disconnect();
    const ended = new AbortController();
    void this.#gone.then(() => ended.abort());
    await sleep(this.#clock, END_DEADLINE_MS, ended.signal);
    if (!ended.signal.aborted) await this.kill();
  }

  /** Without the chance to do anything first. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#gone;
  }

  #answered({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    if (error === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(`${this.#name}: ${error}`));
  }

  #failAll(what: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(`${this.#name} ${what}`));
  }
}
