/** Where and of what a benchmark was run. */
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";
import type { Machine, StoredRun } from "./stored-runs.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const GIT_DEADLINE_MS = 10_000;
const GIB = 2 ** 30;

export type Circumstances = Pick<StoredRun, "commit" | "withChanges" | "machine">;

export function circumstances(): Circumstances {
  return {
    commit: git("rev-parse", "--short=7", "HEAD"),
    // A report writes these while the next benchmark runs.
    withChanges: git("status", "--porcelain", "--", ".", ":(exclude)docs/benchmarks.*") !== "",
    machine: machine(),
  };
}

function machine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryGib: Math.max(1, Math.round(totalmem() / GIB)),
    // What follows the version names a build.
    kernel: `${type()} ${/^[\d.]*/.exec(release())?.[0]}`,
    node: process.versions.node,
  };
}

/** @throws outside of a checkout: figures that nobody can place are not stored */
function git(...args: string[]): string {
  return execFileSync("git", args, {
    cwd: ROOT,
    encoding: "utf8",
    timeout: GIT_DEADLINE_MS,
  }).trim();
}
