/** On what a run was made, so that its figures can be compared with others. */
import { spawnSync } from "node:child_process";
import { cpus, release, type as systemName, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import type { LoadSummary } from "./summary.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ASK_MS = 10_000;
const GIB = 1_024 ** 3;

export function describeMachine(k6Binary: string): LoadSummary["machine"] {
  const all = cpus();
  return {
    processors: all.length,
    model: all[0]?.model.trim() ?? "",
    memoryGiB: Math.round(totalmem() / GIB),
    system: `${systemName()} ${release()}`,
    node: process.version,
    k6: firstLine(k6Binary, ["version"]) ?? "?",
  };
}

/** The commit that is checked out, with a plus when files differ from it; undefined outside of a checkout. */
export function checkedOutCommit(): string | undefined {
  const commit = firstLine("git", ["-C", ROOT, "rev-parse", "--short=12", "HEAD"]);
  if (!commit) return undefined;
  return firstLine("git", ["-C", ROOT, "status", "--porcelain"]) ? `${commit}+` : commit;
}

/** One line for people, as it is stored beside a limit. */
export function machineText({ processors, model, memoryGiB, system }: LoadSummary["machine"]) {
  return `${processors} × ${model || "processor"}, ${memoryGiB} GiB, ${system}`;
}

function firstLine(program: string, args: readonly string[]): string | undefined {
  const { stdout } = spawnSync(program, args, { encoding: "utf8", timeout: ASK_MS });
  return stdout?.split("\n")[0]?.trim() || undefined;
}
