import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { birthOf, isAlive } from "../process/pid.ts";
import { lockWorld } from "./world-lock.ts";

let dir = "";
const dirs: string[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "meridian-lock-"));
  dirs.push(dir);
});
after(() => {
  for (const one of dirs) rmSync(one, { recursive: true });
});

const running = /a local world runs here already \(process \d+\): end it with Ctrl-C first/;

test("one world a folder; the next may come when it is gone", async () => {
  const first = await lockWorld(dir);
  await assert.rejects(lockWorld(dir), running);
  first.release();
  const second = await lockWorld(dir);
  second.release();
  assert.deepEqual(readdirSync(dir), [], "no file is left");
});

test("of many starts at the same moment one wins", async () => {
  const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => lockWorld(dir)));
  assert.equal(attempts.filter(({ status }) => status === "fulfilled").length, 1);
});

test("what a world that was killed left running is ended", async () => {
  const sleeper = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000)"]);
  const { pid } = sleeper;
  assert.ok(pid !== undefined);
  const birth = birthOf(pid);
  const holder = { name: "world", pid: 4_194_303, birth: "1" };
  const children = [{ name: "core", pid, birth }];
  writeFileSync(join(dir, "world.json"), JSON.stringify({ holder, children }));
  const lock = await lockWorld(dir);
  assert.equal(isAlive(pid), false);
  lock.release();
});

test("a world that says that it ends is waited for, and takes its lock along", async () => {
  const first = await lockWorld(dir);
  const second = lockWorld(dir);
  first.ending();
  const released = setTimeout(() => first.release(), 1_500);
  const lock = await second;
  clearTimeout(released);
  lock.release();
});

test("a holder that is about to end is waited for", async () => {
  const dying = spawn(process.execPath, ["--eval", "setInterval(() => {}, 1000)"]);
  const { pid } = dying;
  assert.ok(pid !== undefined);
  const holder = { name: "world", pid, birth: birthOf(pid) };
  writeFileSync(join(dir, "world.json"), JSON.stringify({ holder, children: [] }));
  const next = lockWorld(dir);
  dying.kill("SIGKILL");
  const lock = await next;
  assert.equal(isAlive(pid), false);
  lock.release();
});

test("a number that belongs to another process by now is neither holder nor child", async () => {
  const mistaken = { name: "world", pid: process.pid, birth: "before the flood" };
  const content = { holder: mistaken, children: [mistaken] };
  writeFileSync(join(dir, "world.json"), JSON.stringify(content));
  const lock = await lockWorld(dir);
  lock.release();
});

test("a lock that is no JSON is taken over", async () => {
  writeFileSync(join(dir, "world.json"), "");
  const lock = await lockWorld(dir);
  lock.note("core", process.pid);
  lock.release();
});
