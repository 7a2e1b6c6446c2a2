/** How a real process ends: by signals, by errors, by both. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, test } from "node:test";

const CHILD = new URL("./lifecycle.child.ts", import.meta.url).pathname;
const FATAL = /"level":60|"level":"fatal"/;

class Running {
  readonly lines: string[] = [];
  readonly process: ChildProcess;
  readonly exited: Promise<unknown[]>;
  #changed = () => {};

  constructor() {
    const child = spawn(process.execPath, [CHILD], { stdio: ["pipe", "pipe", "inherit"] });
    this.process = child;
    this.exited = once(child, "exit");
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.lines.push(line);
      this.#changed();
    });
  }

  async until(seen: (lines: readonly string[]) => boolean): Promise<void> {
    while (!seen(this.lines)) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }

  say(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  steps(): string[] {
    return this.lines.filter((line) => !line.startsWith("{"));
  }
}

let running: Running | undefined;
afterEach(() => running?.process.kill("SIGKILL"));

async function start(): Promise<Running> {
  running = new Running();
  await running.until((lines) => lines.includes("ready"));
  return running;
}

const draining = (lines: readonly string[]) => lines.includes("draining");
const fatals = (count: number) => (lines: readonly string[]) => {
  return lines.filter((line) => FATAL.test(line)).length === count;
};

test("errors during a stop, and a signal after one, don't cut the drain short", async () => {
  const child = await start();
  child.say("throw");
  await child.until(draining);
  child.say("throw");
  child.say("reject");
  await child.until(fatals(3));
  child.process.kill("SIGTERM");
  child.say("drained");
  assert.deepEqual(await child.exited, [1, null]);
  assert.deepEqual(child.steps(), ["ready", "draining", "drained", "stopped"]);
});

test("an error during a stop by signal shows in the exit code", async () => {
  const child = await start();
  child.process.kill("SIGTERM");
  await child.until(draining);
  child.say("reject");
  await child.until(fatals(1));
  child.say("drained");
  assert.deepEqual(await child.exited, [1, null]);
  assert.deepEqual(child.steps(), ["ready", "draining", "drained", "stopped"]);
});

test("a signal stops in order, and a second one at once", async () => {
  const child = await start();
  child.process.kill("SIGINT");
  await child.until(draining);
  child.process.kill("SIGTERM");
  assert.deepEqual(await child.exited, [1, null]);
  assert.deepEqual(child.steps(), ["ready", "draining"]);

  const orderly = await start();
  orderly.process.kill("SIGTERM");
  await orderly.until(draining);
  orderly.say("drained");
  assert.deepEqual(await orderly.exited, [0, null]);
});
