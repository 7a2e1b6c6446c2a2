// biome-ignore-all lint/style/useNodejsImportProtocol: runs on any Node from 12 on
/**
 * The first thing that runs, on any Node from 12 on and with nothing installed: checks the machine,
 * installs what is missing, then runs the TypeScript program that was asked for.
 *
 *     start.mjs start [options]        the local world
 *     start.mjs test [options]         all tests
 *     start.mjs new NAME               a new game
 *     start.mjs run FILE.ts [options]  any program of Meridian
 */
import { readFileSync } from "fs";
import { dirname, join, resolve } from "path";
import { fileURLToPath } from "url";
import { ensureDependencies } from "./dependencies.mjs";
import { checkDisk, checkMachine, findRuntime } from "./machine.mjs";
import { runProgram } from "./program.mjs";
import { ensureRedis } from "./redis.mjs";
import { Problem, say } from "./terminal.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..", "..");
const PROGRAMS = {
  start: "infra/local/main.ts",
  test: "infra/test/run.ts",
  new: "infra/new/main.ts",
};

async function main(mode, args) {
  if (mode === "start" && args.some((arg) => arg === "--help" || arg === "-h")) {
    process.stdout.write(readFileSync(join(root, "infra/local/usage.txt"), "utf8"));
    return;
  }
  const program = PROGRAMS[mode] || (mode === "run" && args.shift());
  if (!program)
    throw new Problem("Usage: start.mjs start|test|new [options], or run FILE.ts [options]");
  checkMachine();
  checkDisk(root);
  await ensureDependencies(root);
  const node = findRuntime(root);
  const env = Object.assign({}, process.env);
  // The tests start servers of their own, whatever REDIS_URL says; a new game needs none.
  if (mode === "test" || (mode !== "new" && !env.REDIS_URL)) env.REDIS_SERVER = await ensureRedis();
  await runProgram(node, [join(root, program)].concat(args), env);
}

main(process.argv[2], process.argv.slice(3)).catch((error) => {
  if (error instanceof Problem) say(`✗ ${error.message}`);
  else if (error.code === "EACCES" || error.code === "EROFS") say(`✗ ${error.message}`);
  else say(error.stack);
  process.exitCode = 1;
});
