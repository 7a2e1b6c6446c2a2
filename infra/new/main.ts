/** `npm run new -- NAME`: makes a game that runs at once, and says what to do with it. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeGame } from "./make-game.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIOME = join(ROOT, "node_modules/.bin/biome");

const [name, ...more] = process.argv.slice(2);
if (name === undefined || name.startsWith("-") || more.length > 0) {
  console.error("Usage: npm run new -- NAME, for example: npm run new -- star-catch");
  process.exitCode = 2;
} else {
  try {
    // Names differ in length and order, so lines may break and imports sort differently.
    const files = makeGame(ROOT, name);
    spawnSync(BIOME, ["check", "--write", ...files], { cwd: ROOT, stdio: "ignore" });
    console.log(nextSteps(name));
  } catch (error) {
    console.error(`✗ ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  }
}

function nextSteps(name: string): string {
  const steps = [
    ["npm start", `then open http://127.0.0.1:7300/games/${name}/ twice`],
    [`npm test -- ${name}`, "runs its test"],
    [`save ${name}-rules.ts`, "changed: the new rules run at once, and players stay in"],
  ];
  const width = Math.max(...steps.map(([what = ""]) => what.length));
  const lines = steps.map(([what = "", why]) => `  ${what.padEnd(width)}  ${why}`);
  return [`✓ made region/games/${name}, a game about catching a star. Now:`, ...lines].join("\n");
}
