/**
 * Makes one file of a script of `loadtest/k6` and of everything that it imports: k6 finds no packages of npm, and the
 * scripts decode with Colyseus' own decoder and decide with the client SDK's own steps. The file needs nothing but k6,
 * so that it can be taken to any machine that is to generate load.
 *
 * `node loadtest/load/k6-bundle.ts` makes those of all scenarios, and prints their paths.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { SCENARIOS } from "../k6/scenarios.ts";

const SCRIPTS = fileURLToPath(new URL("../k6", import.meta.url));
const BUNDLES = fileURLToPath(new URL("../../.meridian/k6", import.meta.url));

/**
 * @param script a scenario's name, or the path of a script of one's own
 * @returns the path of what k6 is to run
 */
export async function bundleScript(script: string, folder = BUNDLES): Promise<string> {
  const isPath = script.endsWith(".ts");
  const name = isPath ? script.replace(/^.*[/\\]|\.ts$/g, "") : script;
  const outfile = join(folder, `${name}.js`);
  const { outputFiles } = await build({
    entryPoints: [isPath ? script : join(SCRIPTS, `${script}.ts`)],
    outfile,
    write: false,
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["module", "browser"],
    external: ["k6", "k6/*"],
    // What k6's engine does not know, of all that libraries write.
    supported: { "for-await": false, using: false },
    sourcemap: "inline",
    sourcesContent: false,
    logLevel: "silent",
  });
  mkdirSync(folder, { recursive: true });
  // Another run may be about to read the one before.
  const fresh = `${outfile}.${process.pid}`;
  writeFileSync(fresh, outputFiles[0]?.contents ?? "");
  renameSync(fresh, outfile);
  return outfile;
}

if (import.meta.main) {
  for (const { name } of SCENARIOS) console.log(await bundleScript(name));
}
