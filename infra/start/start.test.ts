/** The decisions of the start-up script. What it does is tried in test/two-commands.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";

// These files are plain JavaScript, to run on any Node, so their shapes are told here.
interface Machine {
  machineProblem(version: string, platform: string, arch: string): string | undefined;
  freeKibOf(text: string): number | undefined;
  isRuntime(version: string): boolean;
}
interface Dependencies {
  agrees(wanted: Packages, installed: Packages): boolean;
}
type Packages = Record<string, { version?: string; optional?: boolean }>;
interface RedisPlan {
  problem?: string;
  question?: string;
  command?: string;
  args?: string[];
}
interface RedisInstaller {
  planInstall(machine: {
    has: (program: string) => boolean;
    root: boolean;
    canAsk: boolean;
  }): RedisPlan;
}

const load = (file: string) => import(new URL(file, import.meta.url).href);
const machine: Machine = await load("./machine.mjs");
const dependencies: Dependencies = await load("./dependencies.mjs");
const redis: RedisInstaller = await load("./redis.mjs");

test("a machine that can't run Meridian gets one clear line", () => {
  const { machineProblem } = machine;
  assert.equal(machineProblem("v18.0.0", "linux", "x64"), undefined);
  assert.equal(machineProblem("v24.1.0", "darwin", "arm64"), undefined);
  assert.match(machineProblem("v16.20.0", "linux", "x64") ?? "", /Node v16.20.0 is too old/);
  assert.match(machineProblem("v22.0.0", "win32", "x64") ?? "", /WSL2/);
  assert.match(machineProblem("v22.0.0", "linux", "s390x") ?? "", /does not run on linux-s390x/);
});

test("a Node that runs TypeScript is told from one that does not", () => {
  for (const version of ["v22.18.0", "v22.23.3", "v24.0.0"]) {
    assert.equal(machine.isRuntime(version), true, version);
  }
  for (const version of ["v22.17.9", "v20.20.2", "v9.0.0", ""]) {
    assert.equal(machine.isRuntime(version), false, version);
  }
});

test("free space is read from what df prints", () => {
  const header = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
  assert.equal(machine.freeKibOf(`${header}/dev/vda 264000000 13000000 82000000 15% /\n`), 82e6);
  assert.equal(machine.freeKibOf(`${header}map auto_home 0 0 0 100% /a folder\n`), 0);
  assert.equal(machine.freeKibOf(""), undefined);
});

test("an install agrees with the lockfile when all that is wanted is there, in that version", () => {
  const { agrees } = dependencies;
  const wanted = {
    "": { version: "0.1.0" },
    "node_modules/a": { version: "1.0.0" },
    "node_modules/b": { version: "2.0.0", optional: true },
  };
  assert.equal(agrees(wanted, { "node_modules/a": { version: "1.0.0" } }), true);
  assert.equal(agrees(wanted, { "node_modules/a": { version: "1.0.1" } }), false);
  assert.equal(agrees(wanted, {}), false);
  const stale = { "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "1.0.0" } };
  assert.equal(agrees(wanted, stale), false, "optional, but of another version");
});

test("redis-server is installed by root at once, by others only after a question", () => {
  const plan = (programs: string[], root: boolean, canAsk: boolean) =>
    redis.planInstall({ has: (name) => programs.includes(name), root, canAsk });

  const byRoot = plan(["apt-get"], true, false);
  assert.equal(byRoot.command, "sh");
  assert.match(byRoot.args?.join(" ") ?? "", /apt-get update && apt-get install -y redis-server/);
  assert.equal(byRoot.question, undefined);

  const asked = plan(["dnf", "sudo"], false, true);
  assert.match(asked.question ?? "", /Run "sudo dnf install -y redis" now\?/);
  assert.equal(asked.command, "sudo");

  const nobodyThere = plan(["apt-get", "sudo"], false, false);
  assert.match(
    nobodyThere.problem ?? "",
    /run "sudo apt-get install redis-server", or set REDIS_SERVER to its path, or REDIS_URL/,
  );
  assert.match(plan(["apt-get"], false, true).problem ?? "", /is not installed: run/, "no sudo");
  assert.match(plan([], true, true).problem ?? "", /is not installed: install Redis 7/);

  const onMac = plan(["brew"], false, true);
  assert.match(onMac.question ?? "", /Run "brew install redis" now\?/);
  assert.equal(onMac.command, "sh", "Homebrew refuses sudo");
  assert.match(plan(["brew"], true, true).problem ?? "", /install Redis 7/, "and root");
});
