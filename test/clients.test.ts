/** Executes the JavaScript of docs/clients.md against a world. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { blocksOf } from "./page-blocks.ts";
import { worldForTests } from "./world.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGE = fileURLToPath(new URL("../docs/clients.md", import.meta.url));
const RUN_MS = 30_000;
/** What the page says that one sees. */
const SHOWN: Readonly<Record<string, RegExp>> = {
  meridian: /playing \w+\n(?:.*\n)*players: 1\n(?:.*\n)*left/,
  party: /together: true/,
  moved: /playing in \w+/,
  // The state comes with the first room or with the second, before the seat is compared or after.
  "colyseus-moved": /^(?=.*players: 1\n)(?=.*same seat: true true\n)/s,
  // Nobody has to wait in this world.
  queue: /^playing$/m,
  colyseus: /dropped\n(?:.*\n)*back\n(?:.*\n)*same seat: \S+/,
};

const world = worldForTests({ regions: 1 });
const snippets = blocksOf(readFileSync(PAGE, "utf8")).filter(({ kind }) => kind === "js");

for (const { file: name, text } of snippets) {
  test(`the page's client "${name}" joins, plays and leaves`, async () => {
    const code = text.replaceAll("http://127.0.0.1:7300", world().core.url);
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], {
      cwd: ROOT,
      timeout: RUN_MS,
    });
    const shown = SHOWN[name];
    assert.ok(shown, `nobody knows what ${name} shows`);
    assert.match(stdout, shown);
  });
}

test("every snippet is one of those", () => {
  assert.deepEqual(snippets.map(({ file }) => file).sort(), Object.keys(SHOWN).sort());
});
