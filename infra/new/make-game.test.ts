/** Making a game. That it runs is tried in docs/your-first-game.test.ts. */
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { addToTable } from "./game-table.ts";
import { makeGame } from "./make-game.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "meridian-new-"));
after(() => rmSync(root, { recursive: true }));
for (const path of ["template", "games.ts"]) {
  cpSync(join(ROOT, "region/games", path), join(root, "region/games", path), { recursive: true });
}
const read = (path: string) => readFileSync(join(root, "region/games", path), "utf8");

test("a game has every file of the template, under its own name everywhere", () => {
  const files = makeGame(root, "star-catch");
  const expected = ["bot.ts", "page", "star-catch-room.ts", "star-catch-rules.ts"];
  expected.push("star-catch-state.ts", "star-catch.test.ts");
  assert.deepEqual(readdirSync(join(root, "region/games/star-catch")).sort(), expected);
  assert.match(read("star-catch/star-catch-room.ts"), /class StarCatchRoom extends GameRoom/);
  assert.match(read("star-catch/page/main.ts"), /join<StarCatchState>\("star-catch"/);
  assert.equal(files.length, 9);
  for (const file of files) {
    assert.doesNotMatch(readFileSync(join(root, file), "utf8"), /template/i, file);
  }
});

test("it is in the table, in the order of names", () => {
  makeGame(root, "ant");
  const [, , ant, arena, star] = read("games.ts").split("\n");
  assert.match(ant ?? "", /AntRoom/);
  assert.match(arena ?? "", /Arena/);
  assert.match(star ?? "", /StarCatchRoom/);
  assert.match(read("games.ts"), / {2}ant: AntRoom,\n {2}arena: Arena,\n {2}"star-catch": Star/);
});

test("a wrong name and one that is taken get one line each that says what to do", () => {
  for (const name of ["", "Duel", "1duel", "my game", "../duel", "a--b", "a-", "x".repeat(25)]) {
    const problem = `"${name}" can't be a game's name: use a-z, 0-9`;
    assert.throws(
      () => makeGame(root, name),
      (error: Error) => error.message.startsWith(problem),
    );
  }
  assert.throws(() => makeGame(root, "template"), /region\/games\/template exists already: choose/);
  assert.throws(() => makeGame(root, "ant"), /region\/games\/ant exists already/);
});

test("a table that was rewritten is left alone, and nothing is made", () => {
  const problem = /add `import \{ DuelRoom \} from "\.\/duel\/duel-room\.ts";`.*`duel: DuelRoom,`/;
  assert.throws(() => addToTable("export const games = load();", "duel"), problem);
  assert.equal(existsSync(join(root, "region/games/duel")), false);
});
