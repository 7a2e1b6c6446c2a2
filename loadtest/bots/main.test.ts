/** The program's ends without a world; `test/e2e/bots.test.ts` runs it in one. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { freePort } from "../../infra/process/port.ts";

const PROGRAM = join(import.meta.dirname, "main.ts");

function run(...args: readonly string[]) {
  return spawnSync(process.execPath, [PROGRAM, ...args], { encoding: "utf8", timeout: 20_000 });
}

test("--help says what there is", () => {
  const { status, stdout } = run("--help");
  assert.equal(status, 0);
  for (const option of ["players", "url", "seconds", "arrive-per-second", "seed", "help"]) {
    assert.ok(stdout.includes(`--${option}`), option);
  }
});

test("a wrong option is one line and a hint", () => {
  const { status, stderr } = run("--players", "0");
  assert.equal(status, 2);
  assert.match(stderr, /^✗ --players 0 .*\n {2}npm run bots -- --help lists the options\n$/);
});

test("without a core: one line that names the URL and how to start one", async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const { status, stderr, stdout } = run("--url", url);
  assert.equal(status, 1);
  assert.equal(stdout, "");
  assert.equal(
    stderr,
    `✗ the core at ${url} can't be reached (unavailable): is it up? npm start\n`,
  );
});
