/** Builds the web page that the core serves: one script by esbuild, the other files as they are. */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, stop } from "esbuild";

const ENTRY = "main.ts";

/**
 * Builds `sourceDir` into `outDir`, which is made anew: `main.ts` becomes `main.js`.
 * @returns false when there is no page to build
 * @throws one clear line that names file and line of a mistake in the page
 */
export async function buildPage(sourceDir: string, outDir: string): Promise<boolean> {
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(outDir, { recursive: true });
  if (!existsSync(join(sourceDir, ENTRY))) return false;
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
    });
    return true;
  } catch (error) {
    const [first] = error instanceof Error ? error.message.split("\n").slice(1) : [];
    throw new Error(`the page can't be built: ${first?.trim() || error}`, { cause: error });
  } finally {
    // esbuild runs as a process of its own; nothing may be left of it.
    await stop();
  }
}
