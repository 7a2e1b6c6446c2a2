import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { lastLines, truncateLog } from "./log-file.ts";
import { birthOf, endProcess, isAlive } from "./pid.ts";
import { freePorts, isPortFree } from "./port.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-process-"));
after(() => rmSync(dir, { recursive: true }));

test("a process is alive, has a birth, and is ended by the first signal that works", async () => {
  const child = spawn(process.execPath, [
    "--eval",
    'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)',
  ]);
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const { pid } = child;
  assert.ok(pid !== undefined);
  assert.equal(isAlive(pid), true);
  assert.equal(birthOf(pid), birthOf(pid));
  assert.notEqual(birthOf(pid), undefined);
  const ended = new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
  await endProcess(pid, [
    ["SIGTERM", 50],
    ["SIGKILL", 5_000],
  ]);
  assert.equal(isAlive(pid), false);
  assert.equal(birthOf(pid), undefined);
  assert.equal(await ended, "SIGKILL");
});

test("no number of no process is alive", () => {
  for (const pid of [0, -1, Number.NaN, 4_194_303]) assert.equal(isAlive(pid), false, `${pid}`);
});

test("free ports are different, and free", async () => {
  const ports = await freePorts(20);
  assert.equal(new Set(ports).size, 20);
  for (const port of ports) assert.equal(await isPortFree("127.0.0.1", port), true);
});

test("a log that grew too large starts anew, while its writer goes on", () => {
  const path = join(dir, "core.log");
  const writer = openSync(path, "a");
  writeSync(writer, "first\nsecond\n");
  truncateLog(path, 100);
  assert.deepEqual(lastLines(path), ["first", "second"], "not yet");
  truncateLog(path, 5);
  writeSync(writer, "third\n");
  assert.equal(readFileSync(path, "utf8"), "third\n");
  assert.equal(readFileSync(`${path}.1`, "utf8"), "first\nsecond\n");
  assert.deepEqual(lastLines(join(dir, "none.log")), []);
});

test("ports that were found a moment ago are found by nobody else, though nobody listens on them yet", async () => {
  process.env.PORT_CLAIMS ??= dir;
  const [first, second] = await Promise.all([freePorts(300), freePorts(300)]);
  const third = await freePorts(300);
  assert.equal(new Set([...first, ...second, ...third]).size, 900);
});
