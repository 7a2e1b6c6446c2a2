/**
 * For the tests of `lifecycle.ts`: a process whose drain takes until a line comes on its standard input.
 * It prints each step, and fails by itself at the word `throw` or `reject`.
 */
import { createInterface } from "node:readline";
import { runProcess } from "./lifecycle.ts";
import { createLog } from "./log.ts";

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
let drained = () => {};

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "drained") drained();
  if (line === "reject") void Promise.reject(new Error("rejected"));
  if (line === "throw") {
    setImmediate(() => {
      throw new Error("thrown");
    });
  }
});

const part = {
  name: "slow",
  async drain() {
    say("draining");
    await new Promise<void>((resolve) => {
      drained = resolve;
    });
    say("drained");
  },
  stop: () => say("stopped"),
};

await runProcess({ log: createLog("test", "fatal"), parts: [part], stopDeadlineMs: 20_000 });
say("ready");
