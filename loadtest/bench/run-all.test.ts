import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isAlive } from "../../infra/process/pid.ts";
import { until } from "../../test/until.ts";
import { runApart } from "./apart.ts";
import { runAll } from "./run-all.ts";

const never = new AbortController().signal;

/** A program in place of the benchmarks' own, which gets the same arguments. */
async function withProgram(text: string, use: (program: string, dir: string) => Promise<void>) {
  const dir = mkdtempSync(join(tmpdir(), "meridian-apart-"));
  try {
    const program = join(dir, "program.mjs");
    writeFileSync(program, text);
    await use(program, dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test("one that fails does not keep the others from running, and is named at the end", async () => {
  const benchmarks = ["a", "b", "c"].map((name) => ({ name, description: "?" }));
  const lines: string[] = [];
  const kept: string[] = [];
  const { figures, failed } = await runAll({
    benchmarks,
    quick: true,
    say: (line) => lines.push(line),
    keep: (name) => kept.push(name),
    signal: never,
    async run({ name, say }) {
      say(`half of ${name}`);
      if (name === "b") throw new Error("the machine is busy");
      return { name };
    },
  });
  assert.deepEqual(failed, ["b"]);
  assert.deepEqual(kept, ["a", "c"]);
  assert.deepEqual(figures, { a: { name: "a" }, c: { name: "c" } });
  assert.match(lines[1] ?? "", /^\[1\/3 0:0\d\] half of a$/);
  assert.equal(lines.at(-1), "✗ b: the machine is busy");
});

test("a benchmark runs in a process of its own: its progress is told, its last line is its figures", async () => {
  const text = `const [name, ...options] = process.argv.slice(2);
    console.log("round 1");
    console.log(JSON.stringify({ benchmark: name, options }));`;
  await withProgram(text, async (program) => {
    const lines: string[] = [];
    const say = (line: string) => lines.push(line);
    const figures = await runApart({ name: "herd", quick: true, say, signal: never, program });
    assert.deepEqual(figures, { options: ["--json", "--quick"] });
    assert.deepEqual(lines, ["round 1"]);
  });
});

test("its failure is one here, for the same reason", async () => {
  const text = `console.error("is the machine busy?"); process.exitCode = 1;`;
  await withProgram(text, async (program) => {
    const failing = runApart({ name: "herd", quick: true, say() {}, signal: never, program });
    await assert.rejects(failing, /^Error: is the machine busy\?$/);
  });
});

test("called off, the one under way is ended in order, and nothing is left", async () => {
  const text = `import { writeFileSync } from "node:fs";
    const file = (name) => new URL(name, import.meta.url);
    process.once("SIGINT", () => { writeFileSync(file("tidy"), "yes"); process.exit(1); });
    writeFileSync(file("pid"), String(process.pid));
    console.log("started");
    setInterval(() => console.log("goes on"), 10);`;
  await withProgram(text, async (program, dir) => {
    const calledOff = new AbortController();
    let isUnderWay = false;
    const say = () => {
      isUnderWay = true;
    };
    const options = { name: "herd", quick: true, say, signal: calledOff.signal, program };
    const running = runApart(options);
    await until("the program's first line", () => isUnderWay);
    calledOff.abort(new Error("interrupted"));
    await assert.rejects(running, /interrupted/);
    assert.equal(readFileSync(join(dir, "tidy"), "utf8"), "yes");
    assert.equal(isAlive(Number(readFileSync(join(dir, "pid"), "utf8"))), false);
  });
});
