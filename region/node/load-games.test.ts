/** What is wrong with a game is told before the node is anything to anybody. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, test } from "node:test";
import { Room } from "@colyseus/core";
import { GameRoom } from "../rooms/game-room.ts";
import { loadGames } from "./load-games.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-games-"));
after(() => rmSync(dir, { recursive: true }));

/** Loads a table of games from a file with that text. */
function load(name: string, text: string) {
  const path = join(dir, name);
  writeFileSync(path, text);
  const shown = relative(process.cwd(), path);
  return { shown, loading: loadGames(["*"], async () => (await import(path)).games) };
}

test("what fails at import is told with file and line", async () => {
  const mistakes: [string, string, RegExp][] = [
    ["syntax.ts", "export const a = 1;\nexport const games = {;\n", /:2: SyntaxError: /],
    ["missing.ts", 'import { x } from "node:fs";\nexport const games = { x };\n', /:1: Synt.*'x'/],
    ["throws.ts", "export const games = {};\n\nnull.room;\n", /:3: TypeError: Cannot read/],
    ["gone.ts", 'import "./nowhere.ts";\n', /: Error: Cannot find module/],
  ];
  for (const [name, text, expected] of mistakes) {
    const { shown, loading } = load(name, text);
    await assert.rejects(loading, ({ message }: Error) => {
      assert.ok(message.startsWith(shown), message);
      assert.match(message.slice(shown.length), expected);
      return true;
    });
  }
});

test("a game that is not in the table is told with those that are", async () => {
  const table = async () => ({ duel: Room });
  await assert.rejects(
    loadGames(["chess"], table),
    /GAMES names chess, which is not in region\/games\/games\.ts \(it has: duel\): add the game/,
  );
  assert.deepEqual([...(await loadGames(["*"], table)).keys()], ["duel"]);
});

test("a game that can't be registered is refused while it is loaded", async () => {
  class Stateless extends GameRoom {}
  const table = async () => ({ duel: Stateless });
  await assert.rejects(
    loadGames(["duel"], table),
    /the game duel can't be registered:\n- Stateless: has no `static State`; give it one/,
  );
});
