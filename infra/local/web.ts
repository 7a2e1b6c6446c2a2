/**
 * Builds the web pages that the core serves: of each page one script by esbuild, the other files as
 * they are. The arena's page is at `/`, any other game's at `/games/NAME/`, what belongs to no game where
 * the caller says.
 *
 * A build that fails changes nothing: what was built before stays until the next one is whole.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";

export interface PagesOptions {
  /** Holds a folder per game, some of them with a `page/main.ts`. */
  readonly gamesDir: string;
  /** Folders with a `main.ts` of pages of no game, by path, such as `/map/`. */
  readonly others?: Readonly<Record<string, string>>;
  readonly outDir: string;
  /** Whether open pages reload themselves when they were built anew. */
  readonly live: boolean;
}

const ENTRY = "main.ts";
/** In each page's folder: changes whenever anything of the page does. */
const BUILD_ID = "build-id";
const ROOT_GAME = "arena";
/** What new games are made from is no game. */
const TEMPLATE = "template";
const LIVE_RELOAD = fileURLToPath(import.meta.resolve("./live-reload.ts"));

/**
 * Builds all pages into `outDir`, in place of what was there.
 * @returns the paths under which they are served, such as `/` and `/games/duel/`
 * @throws one clear line that names file and line of a mistake in a page
 */
export async function buildPages(options: PagesOptions): Promise<string[]> {
  const { gamesDir, others = {}, outDir, live } = options;
  const next = `${outDir}.next`;
  rmSync(next, { recursive: true, force: true });
  mkdirSync(next, { recursive: true });
  const games = existsSync(gamesDir) ? readdirSync(gamesDir) : [];
  const withPage = games.filter((game) => {
    return game !== TEMPLATE && existsSync(join(gamesDir, game, "page", ENTRY));
  });
  const pages = new Map(withPage.map((game) => [pathOf(game), join(gamesDir, game, "page")]));
  for (const [path, sourceDir] of Object.entries(others)) pages.set(path, sourceDir);
  try {
    for (const [path, sourceDir] of pages) await buildPage(sourceDir, join(next, path), live);
  } finally {
    // esbuild runs as a process of its own; nothing may be left of it.
    await stop();
  }
  const former = `${outDir}.former`;
  rmSync(former, { recursive: true, force: true });
  if (existsSync(outDir)) renameSync(outDir, former);
  renameSync(next, outDir);
  rmSync(former, { recursive: true, force: true });
  return [...pages.keys()].sort();
}

function pathOf(game: string): string {
  return game === ROOT_GAME ? "/" : `/games/${game}/`;
}

async function buildPage(sourceDir: string, outDir: string, live: boolean): Promise<void> {
  mkdirSync(outDir, { recursive: true });
  for (const name of readdirSync(sourceDir)) {
    if (name.endsWith(".ts")) continue;
    cpSync(join(sourceDir, name), join(outDir, name), { recursive: true });
  }
  try {
    await build({
      entryPoints: [join(sourceDir, ENTRY)],
      outdir: outDir,
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      minify: true,
      sourcemap: true,
      logLevel: "silent",
      ...(live && { inject: [LIVE_RELOAD] }),
    });
  } catch (error) {
    const [first] = error instanceof Error ? error.message.split("\n").slice(1) : [];
    throw new Error(`the page can't be built: ${first?.trim() || error}`, { cause: error });
  }
  if (live) writeFileSync(join(outDir, BUILD_ID), contentHash(outDir));
}

function contentHash(dir: string): string {
  const hash = createHash("sha256");
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) hash.update(readFileSync(join(entry.parentPath, entry.name)));
  }
  return hash.digest("hex");
}
