import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { FakeClock } from "../../shared/fake-clock.ts";
import type { ServerProcess } from "../process/server-process.ts";
import { Supervisor } from "./supervisor.ts";

/** Above all numbers that Linux and macOS give to processes. */
const NO_PID = 2 ** 30;

/** A supervised part made of promises: what is tested is when it is started and stopped. */
function supervise(restartDelayMs = 5_000) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const runs: { end(how: string): void; stopped: boolean }[] = [];
  let failure: string | undefined;
  const supervisor = new Supervisor({
    name: "region beijing",
    consequence: "its players are told",
    restartDelayMs,
    clock,
    report: (line) => lines.push(line),
    async start(): Promise<ServerProcess> {
      if (failure !== undefined) throw new Error(failure);
      const run = { end: (_how: string) => {}, stopped: false };
      const ended = new Promise<string>((resolve) => {
        run.end = resolve;
      });
      runs.push(run);
      const stop = async () => {
        run.stopped = true;
        run.end("stopped");
      };
      return { pid: NO_PID + runs.length, ended, stop };
    },
  });
  const fail = (message: string | undefined) => {
    failure = message;
  };
  return { clock, lines, runs, supervisor, fail };
}

/** Lets all promises that can settle do so. */
const settle = () => setImmediate();

test("a part that ends by itself is said so, and starts again after the delay", async () => {
  const { clock, lines, runs, supervisor } = supervise();
  await supervisor.start();
  runs[0]?.end("SIGKILL");
  await settle();
  assert.equal(supervisor.pid, undefined);
  assert.deepEqual(lines, [
    "✗ region beijing ended (SIGKILL); its players are told; restarting in 5 s",
  ]);
  clock.advance(4_999);
  assert.equal(runs.length, 1);
  clock.advance(1);
  await settle();
  assert.equal(runs.length, 2);
  assert.equal(supervisor.pid, NO_PID + 2);
  assert.equal(lines[1], "✓ region beijing runs again 0.0 s");
});

test("ends that follow each other wait longer, up to a minute; a healthy while resets that", async () => {
  const { clock, lines, runs, supervisor } = supervise();
  await supervisor.start();
  const endAndRestart = async () => {
    runs.at(-1)?.end("exit 1");
    await settle();
    const waitS = Number(/restarting in (\d+) s/.exec(lines.at(-1) ?? "")?.[1]);
    clock.advance(waitS * 1_000);
    await settle();
    return waitS;
  };
  const waits: number[] = [];
  for (let round = 0; round < 6; round += 1) waits.push(await endAndRestart());
  assert.deepEqual(waits, [5, 10, 20, 40, 60, 60]);
  clock.advance(30_000);
  assert.equal(await endAndRestart(), 5);
});

test("a part that is knocked out stays away until it is started again", async () => {
  const { clock, lines, runs, supervisor } = supervise();
  await supervisor.start();
  supervisor.knockOut();
  runs[0]?.end("SIGKILL");
  await settle();
  assert.match(
    lines.at(-1) ?? "",
    /ended \(SIGKILL\); .*; it stays away until it is started again/,
  );
  clock.advance(3_600_000);
  await settle();
  assert.equal(runs.length, 1);
  await supervisor.restart();
  assert.equal(runs.length, 2);
  runs[1]?.end("exit 1");
  await settle();
  clock.advance(60_000);
  await settle();
  assert.equal(runs.length, 3, "from then on it is started again by itself");

  runs[2]?.end("exit 1");
  await settle();
  supervisor.knockOut();
  clock.advance(3_600_000);
  await settle();
  assert.equal(runs.length, 3, "a start that was due does not happen");
});

test("a part that is meant to stay away stays away for as long as was asked", async () => {
  const { clock, runs, supervisor } = supervise(600_000);
  await supervisor.start();
  runs[0]?.end("SIGKILL");
  await settle();
  clock.advance(599_999);
  await settle();
  assert.equal(runs.length, 1);
  clock.advance(1);
  await settle();
  assert.equal(runs.length, 2);
});

test("a restart that fails is tried again, each time after a longer wait", async () => {
  const { clock, lines, runs, supervisor, fail } = supervise();
  await supervisor.start();
  fail("no disk");
  runs[0]?.end("exit 1");
  await settle();
  clock.advance(5_000);
  await settle();
  assert.match(lines[1] ?? "", /did not start: no disk; its players are told; restarting in 10 s/);
  clock.advance(10_000);
  await settle();
  assert.match(lines[2] ?? "", /restarting in 20 s/);
  fail(undefined);
  clock.advance(20_000);
  await settle();
  assert.equal(runs.length, 2);
});

test("stop ends the part, and nothing starts it again", async () => {
  const { clock, lines, runs, supervisor } = supervise();
  await supervisor.start();
  await supervisor.stop();
  assert.equal(runs[0]?.stopped, true);
  await settle();
  clock.advance(120_000);
  assert.deepEqual([runs.length, lines, clock.pending], [1, [], 0]);
});

test("stop while a restart waits leaves nothing scheduled", async () => {
  const { clock, runs, supervisor } = supervise();
  await supervisor.start();
  runs[0]?.end("SIGKILL");
  await settle();
  assert.equal(clock.pending, 1);
  await supervisor.stop();
  assert.equal(clock.pending, 0);
});

test("restart starts at once, whether the part runs or waits", async () => {
  const { clock, lines, runs, supervisor } = supervise();
  await supervisor.start();
  await supervisor.restart();
  assert.equal(runs[0]?.stopped, true);
  assert.equal(supervisor.pid, NO_PID + 2);
  runs[1]?.end("SIGKILL");
  await settle();
  await supervisor.restart();
  assert.equal(supervisor.pid, NO_PID + 3);
  assert.equal(clock.pending, 0, "the restart that waited is called off");
  assert.equal(lines.length, 1);
});

test("the first start's failure is the caller's", async () => {
  const { supervisor, fail } = supervise();
  fail("no such program");
  await assert.rejects(supervisor.start(), /no such program/);
});

test("a successor starts beside the running part, which ends without being missed", async () => {
  const { clock, lines, runs, supervisor } = supervise();
  await supervisor.start();
  await supervisor.succeed();
  runs[0]?.end("exit 0");
  await settle();
  assert.equal(supervisor.pid, NO_PID + 2);
  assert.deepEqual([lines, clock.pending], [[], 0]);
  runs[1]?.end("SIGKILL");
  await settle();
  assert.match(lines[0] ?? "", /ended \(SIGKILL\)/, "the successor is watched as any other");
});

test("a successor that does not start leaves the running part as it is", async () => {
  const { lines, runs, supervisor, fail } = supervise();
  await supervisor.start();
  fail("a syntax error");
  await assert.rejects(supervisor.succeed(), /a syntax error/);
  assert.equal(supervisor.pid, NO_PID + 1);
  assert.deepEqual(lines, []);
  fail(undefined);
  runs[0]?.end("SIGKILL");
  await settle();
  assert.match(lines[0] ?? "", /restarting in 5 s/, "it is watched again");
});
