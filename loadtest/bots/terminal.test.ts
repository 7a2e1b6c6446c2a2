import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { FakeClock } from "../../shared/fake-clock.ts";
import { SAME_SIGNAL_MS, watchInterrupts } from "./interrupts.ts";
import { showStatus } from "./terminal.ts";

function show(terminal: { isTTY: boolean; columns?: number }) {
  const clock = new FakeClock();
  const written: string[] = [];
  let lines = 0;
  const write = (text: string) => {
    written.push(text);
    return true;
  };
  const stop = showStatus(() => `line ${++lines}`, { ...terminal, write }, clock);
  return { clock, written, stop };
}

test("on a pipe: a plain line every five seconds, and none after the stop", () => {
  const { clock, written, stop } = show({ isTTY: false });
  clock.advance(11_000);
  stop();
  clock.advance(10_000);
  assert.deepEqual(written, ["line 1\n", "line 2\n"]);
});

test("on a terminal: one line, rewritten every second, never wider than the terminal", () => {
  const { clock, written, stop } = show({ isTTY: true, columns: 6 });
  clock.advance(1_000);
  stop();
  assert.deepEqual(written, ["\r\u001b[Kline ", "\r\u001b[Kline ", "\r\u001b[Kline ", "\n"]);
});

test("one Ctrl-C that arrives twice is one; the next one forces the end", () => {
  const clock = new FakeClock();
  const source = new EventEmitter();
  const heard: string[] = [];
  watchInterrupts({
    source,
    clock,
    onAsked: () => heard.push("asked"),
    onForced: () => heard.push("forced"),
  });
  source.emit("SIGINT");
  clock.advance(SAME_SIGNAL_MS - 1);
  source.emit("SIGINT");
  assert.deepEqual(heard, ["asked"]);
  clock.advance(SAME_SIGNAL_MS);
  source.emit("SIGTERM");
  assert.deepEqual(heard, ["asked", "forced"]);
});
