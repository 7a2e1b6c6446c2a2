/** `npm run load` as operators run it: real k6, a world of its own, and nothing left of either. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LoadSummary } from "../../loadtest/load/summary.ts";
import { until } from "../until.ts";

const PROGRAM = join(import.meta.dirname, "../../loadtest/load/main.ts");
const WITHIN_MS = 60_000;

interface Load {
  readonly child: ChildProcess;
  readonly out: string;
  /** Everything that the command starts has this in its command line or environment. */
  readonly temp: string;
  output(): string;
}

function startLoad(t: TestContext, ...args: readonly string[]): Load {
  const dir = mkdtempSync(join(tmpdir(), "meridian-load-test-"));
  const out = join(dir, "out");
  const temp = join(dir, "temp");
  mkdirSync(temp);
  // PostgreSQL's own user reads files there.
  chmodSync(dir, 0o755);
  const child = spawn(process.execPath, [PROGRAM, ...args, "--out", out], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: temp },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  }
  t.after(() => {
    child.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  });
  return { child, out, temp, output: () => text };
}

async function ended({ child, output }: Load): Promise<number | null> {
  await until("the command has ended", () => child.exitCode !== null, WITHIN_MS).catch((cause) => {
    throw new Error(output(), { cause });
  });
  return child.exitCode;
}

function summaryOf({ out }: Load): LoadSummary {
  return LoadSummary.parse(JSON.parse(readFileSync(join(out, "summary.json"), "utf8")));
}

/** Processes of the command's own, by their command lines. */
function leftOf({ temp, out, child }: Load): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === child.pid) return [];
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const whole = `${words}\0${readFileSync(`/proc/${pid}/environ`, "utf8")}`;
      return whole.includes(temp) || whole.includes(out) ? [words.replaceAll("\0", " ")] : [];
    } catch {
      // It ended between the two looks, or is another user's.
      return [];
    }
  });
}

async function nothingLeft(load: Load): Promise<void> {
  assert.deepEqual(readdirSync(load.temp), [], "folders");
  await until("no process is left", () => leftOf(load).length === 0);
}

// Side by side: most of the time each waits.
test("npm run load", { concurrency: true }, async (t) => {
  await Promise.all([
    t.test("smoke passes in a world of its own, and leaves a summary and a report", async (t) => {
      const options = ["--regions", "1", "--players", "2", "--duration", "2", "--json"];
      const load = startLoad(t, "smoke", ...options);
      assert.equal(await ended(load), 0, load.output());
      const summary = summaryOf(load);
      assert.equal(summary.outcome, "passed");
      assert.ok(summary.thresholds.length > 0 && summary.thresholds.every(({ passed }) => passed));
      assert.ok(summary.totals.joins >= 2);
      assert.ok(summary.windows.some(({ echo }) => echo));
      assert.ok(summary.windows.some(({ regions }) => regions.some(({ players }) => players > 0)));
      assert.match(load.output(), /generator {2,}.*k6 took /);
      const page = readFileSync(join(load.out, "report.html"), "utf8");
      assert.ok(page.includes("Input echo") && page.includes(summary.generator.verdict));
      const [last = ""] = load.output().trim().split("\n").slice(-1);
      assert.equal(JSON.parse(last).outcome, "passed");
      await nothingLeft(load);
    }),
    t.test("Ctrl-C ends k6 and the world, and what there is is written", async (t) => {
      const options = ["--regions", "1", "--players", "2", "--duration", "600"];
      const load = startLoad(t, "steady-play", ...options);
      const isPlaying = () => {
        assert.equal(load.child.exitCode, null, load.output());
        return / players [12] /.test(load.output());
      };
      await until("somebody plays", isPlaying, WITHIN_MS);
      load.child.kill("SIGINT");
      assert.equal(await ended(load), 130, load.output());
      const { outcome, totals } = summaryOf(load);
      assert.equal(outcome, "interrupted");
      assert.ok(totals.joins > 0);
      await nothingLeft(load);
    }),
  ]);
});

test("what can't be run says so in one line", async (t) => {
  const wrong = startLoad(t, "smoke", "--players", "none");
  assert.equal(await ended(wrong), 2);
  assert.match(wrong.output(), /^✗ --players none .*\n {2}npm run load -- --help lists/);
});
