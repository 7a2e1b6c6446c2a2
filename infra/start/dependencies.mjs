// biome-ignore-all lint/style/useNodejsImportProtocol: runs on any Node from 12 on
// biome-ignore-all lint/complexity/useOptionalChain: runs on any Node from 12 on
/**
 * Brings `node_modules` in line with `package-lock.json`.
 *
 * npm writes what it installed to `node_modules/.package-lock.json`, as its last step: when that agrees
 * with the lockfile nothing is done, whoever installed it, and after an install that was cut off it is
 * missing or disagrees. Two starts at once don't install twice: the second waits for the first.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "fs";
import { basename, join } from "path";
import { Problem, runShown, say } from "./terminal.mjs";

const WAIT_MS = 500;

export async function ensureDependencies(root) {
  if (isInstalled(root)) return;
  const unlock = await lock(root);
  try {
    if (isInstalled(root)) return;
    await install(root);
  } finally {
    unlock();
  }
}

/** Whether everything that the lockfile wants is installed, in the version it wants. */
export function agrees(wanted, installed) {
  return Object.keys(wanted).every((path) => {
    if (path === "") return true;
    const found = installed[path];
    // Optional packages of other platforms are left out.
    if (!found) return wanted[path].optional === true;
    return found.version === wanted[path].version;
  });
}

function isInstalled(root) {
  const wanted = readPackages(join(root, "package-lock.json"));
  if (!wanted) throw new Problem(`${root} has no package-lock.json: is it a whole checkout?`);
  const installed = readPackages(join(root, "node_modules", ".package-lock.json"));
  return installed !== undefined && agrees(wanted, installed);
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    // Missing or cut off: the same as not installed.
    return undefined;
  }
}

async function install(root) {
  const total = Object.keys(readPackages(join(root, "package-lock.json"))).length - 1;
  const npm = findNpm();
  const result = await runShown(
    "dependencies",
    npm.command,
    npm.args.concat(["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund"]),
    { cwd: root, detail: () => `${countPackages(root)} of up to ${total} packages` },
  );
  if (result.ok) return;
  if (/ENOENT.*\bnpm\b|npm.*ENOENT$/.test(result.words)) {
    throw new Problem("npm is not installed: install Node together with its npm.");
  }
  say(result.words);
  throw new Problem("npm could not install the dependencies; what it said is above.");
}

/** npm itself, when it runs this script; otherwise the one on the PATH. */
function findNpm() {
  const path = process.env.npm_execpath;
  if (path && basename(path) === "npm-cli.js" && existsSync(path)) {
    return { command: process.execPath, args: [path] };
  }
  return { command: "npm", args: [] };
}

function countPackages(root) {
  const top = join(root, "node_modules");
  return list(top).reduce((count, name) => {
    if (name[0] === ".") return count;
    return count + (name[0] === "@" ? list(join(top, name)).length : 1);
  }, 0);
}

function list(dir) {
  try {
    return readdirSync(dir);
  } catch {
    // npm is just making or replacing it.
    return [];
  }
}

/** Makes this the only start that installs; waits while another one does. */
async function lock(root) {
  const path = join(root, ".meridian", "installing");
  mkdirSync(join(root, ".meridian"), { recursive: true });
  for (let told = false; ; told = true) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = readFileSync(path, "utf8");
    if (!told) say(`… process ${holder} is installing the dependencies: waiting (see ${path})`);
    await new Promise((done) => setTimeout(done, WAIT_MS));
    if (!isAlive(Number(holder))) rmSync(path, { force: true });
  }
}

/** @param {number} pid 0 while the other start is about to write its number */
function isAlive(pid) {
  try {
    process.kill(pid || process.pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
