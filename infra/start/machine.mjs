// biome-ignore-all lint/style/useNodejsImportProtocol: runs on any Node from 12 on
// biome-ignore-all lint/complexity/useOptionalChain: runs on any Node from 12 on
/** Whether this machine can run Meridian at all: platform, Node, disk. */
import { spawnSync } from "child_process";
import { existsSync } from "fs";
import { join } from "path";
import { Problem } from "./terminal.mjs";

/** Runs the start-up script and an npm that reads the lockfile. */
const OLDEST_INSTALLER_MAJOR = 18;
/** Runs TypeScript directly. */
const OLDEST_RUNTIME = [22, 18];
const FREE_KIB_MIN = 1024 * 1024;
const PLATFORMS = ["linux-x64", "linux-arm64", "darwin-arm64", "darwin-x64"];

/** @returns {string | undefined} why Meridian can't be installed here, as one line */
export function machineProblem(version, platform, arch) {
  if (platform === "win32") {
    return "Meridian does not run on Windows itself: run it in WSL2 (https://aka.ms/wsl).";
  }
  if (PLATFORMS.indexOf(`${platform}-${arch}`) < 0) {
    return `Meridian does not run on ${platform}-${arch}: it needs one of ${PLATFORMS.join(", ")}.`;
  }
  if (parseVersion(version)[0] < OLDEST_INSTALLER_MAJOR) {
    return (
      `Node ${version} is too old: Meridian needs Node ${OLDEST_INSTALLER_MAJOR} or newer to ` +
      "install itself (https://nodejs.org); it then brings its own Node 22."
    );
  }
  return undefined;
}

export function checkMachine() {
  const problem = machineProblem(process.version, process.platform, process.arch);
  if (problem) throw new Problem(problem);
}

export function checkDisk(root) {
  const asked = spawnSync("df", ["-Pk", root], { encoding: "utf8" });
  const freeKib = freeKibOf(asked.status === 0 ? asked.stdout : "");
  if (freeKib !== undefined && freeKib < FREE_KIB_MIN) {
    const freeMib = Math.floor(freeKib / 1024);
    throw new Problem(`No space: ${root} has ${freeMib} MiB free, Meridian needs 1 GiB.`);
  }
}

/** The free space that `df -Pk` tells of; undefined when it tells of none. */
export function freeKibOf(text) {
  const lines = text.trim().split("\n");
  const found = /\s(\d+)\s+\d+%\s/.exec(lines[lines.length - 1]);
  return found ? Number(found[1]) : undefined;
}

/** The Node that runs Meridian: the one the lockfile pins, else this one when it is new enough. */
export function findRuntime(root) {
  const pinned = join(root, "node_modules", ".bin", "node");
  if (existsSync(pinned)) {
    const asked = spawnSync(pinned, ["--version"], { encoding: "utf8" });
    if (asked.status === 0 && isRuntime(asked.stdout.trim())) return pinned;
  }
  if (isRuntime(process.version)) return process.execPath;
  throw new Problem(
    `Node ${process.version} is too old, and the pinned one does not run on this system: ` +
      `install Node ${OLDEST_RUNTIME.join(".")} or a newer 22.`,
  );
}

export function isRuntime(version) {
  const [major, minor] = parseVersion(version);
  return major > OLDEST_RUNTIME[0] || (major === OLDEST_RUNTIME[0] && minor >= OLDEST_RUNTIME[1]);
}

function parseVersion(version) {
  return version.replace(/^v/, "").split(".").map(Number);
}
