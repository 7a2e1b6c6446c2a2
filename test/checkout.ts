/** Copies of this tree, with its dependencies, for tests that change it or run its commands. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isPortFree } from "../infra/process/port.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * The tree as it is now, with its dependencies, in a new folder only its owner can enter. Whoever asks
 * for it removes it.
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

/** Below the ports that systems hand out, so that nothing takes one between this look and the start. */
export async function freePortBase(): Promise<number> {
  for (let base = 10_000 + (process.pid % 100) * 200; ; base += 200) {
    const ports = Array.from({ length: 140 }, (_, index) => base + index);
    const free = await Promise.all(ports.map((port) => isPortFree("127.0.0.1", port)));
    if (free.every(Boolean)) return base;
  }
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
