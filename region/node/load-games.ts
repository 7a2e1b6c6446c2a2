/**
 * Loads the games that this node is to run from `region/games/games.ts`, or from the module that takes
 * its place: behind the decorators hook,
 * and therefore by a dynamic import. What can't be run is refused here, before the node is anything
 * to anybody, with the file and line at fault.
 */
import { relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { defineGame } from "../rooms/define-game.ts";
import type { Games } from "./colyseus.ts";
import { registerDecoratorsHook } from "./decorators-hook.ts";
import type { RoomClass } from "./room-guard.ts";

/** Stands for every game in the table. */
const ALL = "*";
/**
 * As in `file:///a/b.ts:3:7` and in `/a/b.ts:3`, where Node begins what it says of a syntax
 * error.
 */
const PLACE = /(?:file:\/\/)?(\/[^\s:()]+\.ts):(\d+)/;
const IMPORTER = /imported from (\/\S+\.ts)/;

type ImportTable = () => Promise<Readonly<Record<string, RoomClass>>>;

/**
 * @param importGames imports the table; the real one by default
 * @throws one line that names the file, when a game does not load or can't be registered
 */
export async function loadGames(
  names: readonly string[],
  importGames: ImportTable = importTable,
): Promise<Games> {
  registerDecoratorsHook();
  const games = chooseGames(await located(importGames), names);
  for (const [name, roomClass] of games) defineGame(name, roomClass);
  return games;
}

/** @throws when a name is not in the table of games */
export function chooseGames(
  all: Readonly<Record<string, RoomClass>>,
  names: readonly string[],
): Games {
  const chosen = new Map<string, RoomClass>();
  for (const name of names.includes(ALL) ? Object.keys(all) : names) {
    const roomClass = Object.hasOwn(all, name) ? all[name] : undefined;
    if (!roomClass) {
      const known = Object.keys(all).join(", ") || "none";
      throw new Error(
        `GAMES names ${name}, which is not in region/games/games.ts (it has: ${known}): ` +
          "add the game there, or correct GAMES",
      );
    }
    chosen.set(name, roomClass);
  }
  return chosen;
}

/** @param file a module with the table, from this process's folder; none: the real one */
export function tableIn(file: string): ImportTable {
  if (file === "") return importTable;
  return async () => (await import(pathToFileURL(resolve(file)).href)).games;
}

async function importTable(): Promise<Readonly<Record<string, RoomClass>>> {
  const { games } = await import("../games/games.ts");
  return games;
}

async function located<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new Error(`${placeOf(cause)}${cause.name}: ${cause.message}`, { cause });
  }
}

/** `region/games/duel/duel-rules.ts:3: `, or nothing where Node does not say. */
function placeOf(error: Error): string {
  const [, file, line] = PLACE.exec(error.stack ?? "") ?? [];
  const importer = IMPORTER.exec(error.message)?.[1];
  if (importer) return `${shown(importer)}: `;
  return file ? `${shown(file)}:${line}: ` : "";
}

function shown(file: string): string {
  return relative(process.cwd(), file);
}
