import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { GameLog, gameProblem } from "./game-log.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-game-log-"));
after(() => rmSync(dir, { recursive: true }));

function failed(message: string): string {
  const stack =
    `TypeError: ${message}\n    at tick (node:internal/x:1:1)\n` +
    "    at catchStar (file:///home/ada/meridian/region/games/duel/duel-rules.ts:40:7)\n" +
    "    at file:///home/ada/meridian/region/games/duel/duel-room.ts:12:3";
  const err = { type: "TypeError", message, stack };
  return JSON.stringify({ level: 50, msg: "a room failed", game: "duel", method: "onTick", err });
}

test("game code that threw is one line with its place", () => {
  assert.equal(
    gameProblem(failed("no star"), "/home/ada/meridian"),
    "✗ duel: onTick threw: no star (region/games/duel/duel-rules.ts:40)",
  );
});

test("a refused message is one line with the reason; other lines are none", () => {
  const refused = { msg: "a message was refused", game: "duel", reason: "move: x: wrong" };
  const shown = gameProblem(JSON.stringify(refused), "/");
  assert.equal(shown, "✗ duel: a message was refused: move: x: wrong");
  for (const line of ['{"msg":"ready"}', "Trace: something", "", '{"msg":"a room failed"}']) {
    assert.equal(gameProblem(line, "/"), undefined, line);
  }
});

test("what is written from now on is shown, each line once until the code changed", () => {
  const path = join(dir, "region.log");
  writeFileSync(path, `${failed("before")}\n`);
  const lines: string[] = [];
  const log = new GameLog(path, "/home/ada/meridian", (line) => lines.push(line));
  const whole = failed("now");
  appendFileSync(path, whole.slice(0, 20));
  log.look();
  appendFileSync(path, `${whole.slice(20)}\n${whole}\n`);
  log.look();
  assert.equal(lines.length, 1);
  log.forget();
  appendFileSync(path, `${whole}\n`);
  log.look();
  assert.equal(lines.length, 2);
  writeFileSync(path, `${failed("anew")}\n`);
  log.look();
  assert.match(lines[2] ?? "", /anew/);
});

test("a log that is not there yet is no problem", () => {
  new GameLog(join(dir, "none.log"), dir, assert.fail).look();
});
