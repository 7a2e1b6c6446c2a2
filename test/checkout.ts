/** Copies of this tree, with its dependencies, for tests that change it or run its commands. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * The tree as it is now, with its dependencies, in a new folder only its owner can enter. Whoever
 * asks for it removes it.
 */
export function makeCheckout(owner?: number): string {
  const dir = mkdtempSync(join(tmpdir(), "meridian-checkout-"));
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT });
  for (const file of listed.toString().trim().split("\n")) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    cpSync(join(ROOT, file), join(dir, file));
  }
  copyDependencies(join(dir, "node_modules"));
  if (owner !== undefined) giveTo(owner, dir);
  chmodSync(dir, 0o700);
  return dir;
}

function giveTo(owner: number, dir: string): void {
  const all = [dir, "-not", "-path", "*/node_modules/*"];
  execFileSync("find", [...all, "-exec", "chown", `${owner}`, "{}", "+"]);
}

/** By hard links where that is possible: they are several hundred megabytes. */
function copyDependencies(to: string): void {
  const from = join(ROOT, "node_modules");
  try {
    execFileSync("cp", ["-al", from, to], { stdio: "ignore" });
  } catch {
    // Another file system, or a cp without links.
    rmSync(to, { recursive: true, force: true });
    execFileSync("cp", ["-R", from, to]);
  }
}
