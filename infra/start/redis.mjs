// biome-ignore-all lint/style/useNodejsImportProtocol: runs on any Node from 12 on
// biome-ignore-all lint/complexity/useOptionalChain: runs on any Node from 12 on
/**
 * Finds redis-server, or installs it with the system's package manager: as root directly, otherwise
 * after asking, through sudo. Where nobody can be asked it says in one line what to install.
 */
import { spawnSync } from "child_process";
import { accessSync, constants, readSync } from "fs";
import { delimiter, join } from "path";
import { Problem, runShown } from "./terminal.mjs";

/** Some systems ship Redis under the name of its fork, which speaks and stores the same. */
const PROGRAMS = ["redis-server", "valkey-server"];

/** In the order tried. `||` is for systems that have only the fork. */
const MANAGERS = [
  {
    name: "apt-get",
    // The run level keeps the package from starting a server of the system's own.
    script:
      "export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; " +
      "apt-get update && apt-get install -y redis-server",
    hint: "apt-get install redis-server",
  },
  manager("dnf", "install -y"),
  manager("yum", "install -y"),
  { name: "apk", script: "apk add --no-cache redis", hint: "apk add redis" },
  manager("pacman", "-Sy --noconfirm"),
  manager("zypper", "--non-interactive install"),
  { name: "brew", script: "brew install redis", hint: "brew install redis", ownUser: true },
];

/** The path of redis-server; installs it when there is none. */
export async function ensureRedis() {
  const named = process.env.REDIS_SERVER;
  if (named) {
    if (isExecutable(named)) return named;
    throw new Problem(`REDIS_SERVER names ${named}, which is no program.`);
  }
  const found = findRedis();
  if (found) return found;
  const plan = planInstall({
    has: (name) => findProgram(name) !== undefined,
    root: process.getuid() === 0,
    canAsk: process.stdin.isTTY === true && process.stdout.isTTY === true,
  });
  if (plan.problem) throw new Problem(plan.problem);
  if (plan.question && !agreed(plan.question)) throw new Problem(plan.declined);
  // The password is asked for before anything else writes to the terminal.
  if (plan.command === "sudo" && spawnSync("sudo", ["-v"], { stdio: "inherit" }).status !== 0) {
    throw new Problem(plan.declined);
  }
  const result = await runShown("redis-server", plan.command, plan.args, {});
  const installed = findRedis();
  if (installed) return installed;
  const words = result.words.split("\n");
  throw new Problem(`redis-server could not be installed: ${words[words.length - 1] || "?"}`);
}

/**
 * How to install redis-server here: a command, perhaps to be run only after a question, or a problem.
 * @param {{has: (program: string) => boolean, root: boolean, canAsk: boolean}} machine
 */
export function planInstall({ has, root, canAsk }) {
  const found = MANAGERS.filter(({ name, ownUser }) => has(name) && !(root && ownUser))[0];
  const otherwise = "or set REDIS_SERVER to its path, or REDIS_URL to a running server.";
  if (!found) {
    return { problem: `redis-server is not installed: install Redis 7, ${otherwise}` };
  }
  const { script, hint, ownUser } = found;
  if (root) return { command: "sh", args: ["-c", script] };
  const command = ownUser ? hint : `sudo ${hint}`;
  const declined = `redis-server is not installed: run "${command}", ${otherwise}`;
  if (!canAsk || !(ownUser || has("sudo"))) return { problem: declined };
  return {
    question: `redis-server is not installed. Run "${command}" now? [Y/n] `,
    declined,
    command: ownUser ? "sh" : "sudo",
    args: ownUser ? ["-c", script] : ["sh", "-c", script],
  };
}

function manager(name, install) {
  return {
    name,
    script: `${name} ${install} redis || ${name} ${install} valkey`,
    hint: `${name} ${install} redis`,
  };
}

function agreed(question) {
  process.stdout.write(question);
  const buffer = Buffer.alloc(64);
  const answer = buffer.toString("utf8", 0, readSync(0, buffer, 0, buffer.length, null));
  return /^\s*(y|yes)?\s*$/i.test(answer);
}

function findRedis() {
  return PROGRAMS.map(findProgram).filter(Boolean)[0];
}

function findProgram(name) {
  const folders = (process.env.PATH || "").split(delimiter).filter(Boolean);
  // Package managers put servers where a normal user's PATH may not go.
  const all = folders.concat(["/usr/local/bin", "/usr/bin", "/usr/sbin", "/opt/homebrew/bin"]);
  return all.map((folder) => join(folder, name)).filter(isExecutable)[0];
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Not there, or not a program: look further along the PATH.
    return false;
  }
}
