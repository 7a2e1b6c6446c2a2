/**
 * Makes a game from `region/games/template`, which is a real game with a test of its own: every
 * file is copied, with the game's name in place of the template's.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkGameName, pascalCase } from "./game-name.ts";
import { addToTable } from "./game-table.ts";

const GAMES = "region/games";
const TEMPLATE = "template";

/**
 * @param root of the checkout
 * @returns the paths of the files made and changed, relative to `root`
 * @throws one line; nothing was written then
 */
export function makeGame(root: string, name: string): string[] {
  checkGameName(name);
  const folder = join(GAMES, name);
  if (existsSync(join(root, folder))) {
    throw new Error(
      `${folder} exists already: choose another name, or remove that folder and its lines in ` +
        `${GAMES}/games.ts`,
    );
  }
  const tablePath = join(GAMES, "games.ts");
  const table = addToTable(readFileSync(join(root, tablePath), "utf8"), name);
  const made = filesOf(join(root, GAMES, TEMPLATE)).map((file) => {
    const text = readFileSync(join(root, GAMES, TEMPLATE, file), "utf8");
    const path = join(folder, renamed(file, name));
    write(join(root, path), renamed(text, name));
    return path;
  });
  // The table comes last: a world that watches loads the game once it is whole.
  write(join(root, tablePath), table);
  return [...made, tablePath];
}

function filesOf(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort();
}

function renamed(text: string, name: string): string {
  return text.replaceAll("Template", pascalCase(name)).replaceAll(TEMPLATE, name);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
