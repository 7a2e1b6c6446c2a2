import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { buildPages } from "./web.ts";

const top = mkdtempSync(join(tmpdir(), "meridian-web-"));
const gamesDir = join(top, "games");
const outDir = join(top, "out");
after(() => rmSync(top, { recursive: true }));
beforeEach(() => rmSync(gamesDir, { recursive: true, force: true }));

const built = (path: string) => readFileSync(join(outDir, path), "utf8");
const build = (live = false) => buildPages({ gamesDir, outDir, live });

function write(path: string, text: string): void {
  mkdirSync(join(gamesDir, path, ".."), { recursive: true });
  writeFileSync(join(gamesDir, path), text);
}

test("each page is bundled with what it imports, and its other files come along", async () => {
  write("arena/page/index.html", "<title>Arena</title>");
  write("arena/page/pictures/coin.svg", "<svg/>");
  write("arena/page/greeting.ts", 'export const greeting: string = "well met";');
  write(
    "arena/page/main.ts",
    'import { greeting } from "./greeting.ts"; document.title = greeting;',
  );
  write("duel/page/main.ts", "document.title = 'Duel';");
  write("pageless/pageless-room.ts", "");
  write("template/page/main.ts", "");
  mkdirSync(outDir);
  writeFileSync(join(outDir, "stale.js"), "");
  assert.deepEqual(await build(), ["/", "/games/duel/"]);
  assert.match(built("main.js"), /"well met";document\.title=/);
  assert.equal(built("index.html"), "<title>Arena</title>");
  assert.equal(built("pictures/coin.svg"), "<svg/>");
  assert.match(built("games/duel/main.js"), /Duel/);
  for (const path of ["greeting.ts", "stale.js", "build-id", "games/pageless", "games/template"]) {
    assert.equal(existsSync(join(outDir, path)), false, path);
  }
});

test("a live page looks for its next build, known by its id", async () => {
  write("duel/page/main.ts", "document.title = 'Duel';");
  await build(true);
  assert.match(built("games/duel/main.js"), /build-id/);
  const first = built("games/duel/build-id");
  await build(true);
  assert.equal(built("games/duel/build-id"), first);
  write("duel/page/main.ts", "document.title = 'Duel!';");
  await build(true);
  assert.notEqual(built("games/duel/build-id"), first);
});

test("a mistake in a page is named with its file, and what was built before stays", async () => {
  write("duel/page/main.ts", "document.title = 'Duel';");
  await build();
  write("duel/page/main.ts", 'import "./missing.ts";');
  await assert.rejects(build(), /the page can't be built: .*main\.ts:1:\d+: ERROR/);
  assert.match(built("games/duel/main.js"), /Duel/);
});

test("a page of no game is built where it is wanted", async () => {
  write("arena/page/main.ts", "document.title = 'Arena';");
  write("../elsewhere/main.ts", "document.title = 'Map';");
  const others = { "/map/": join(top, "elsewhere") };
  assert.deepEqual(await buildPages({ gamesDir, others, outDir, live: false }), ["/", "/map/"]);
  assert.match(built("map/main.js"), /Map/);
});

test("without games there is nothing to build", async () => {
  assert.deepEqual(await build(), []);
});
