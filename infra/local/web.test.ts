import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildPage } from "./web.ts";

const top = mkdtempSync(join(tmpdir(), "meridian-web-"));
const source = join(top, "page");
const out = join(top, "out");
after(() => rmSync(top, { recursive: true }));

test("a page is bundled with what it imports, and its other files come along", async () => {
  mkdirSync(join(source, "pictures"), { recursive: true });
  writeFileSync(join(source, "index.html"), "<title>Arena</title>");
  writeFileSync(join(source, "pictures/coin.svg"), "<svg/>");
  writeFileSync(join(source, "greeting.ts"), 'export const greeting: string = "well met";');
  writeFileSync(
    join(source, "main.ts"),
    'import { greeting } from "./greeting.ts"; document.title = greeting;',
  );
  mkdirSync(out);
  writeFileSync(join(out, "stale.js"), "");
  assert.equal(await buildPage(source, out), true);
  assert.match(readFileSync(join(out, "main.js"), "utf8"), /"well met";document\.title=/);
  assert.ok(existsSync(join(out, "index.html")));
  assert.ok(existsSync(join(out, "pictures/coin.svg")));
  assert.equal(existsSync(join(out, "greeting.ts")), false);
  assert.equal(existsSync(join(out, "stale.js")), false);
});

test("a mistake in the page is named with its file", async () => {
  writeFileSync(join(source, "main.ts"), 'import "./missing.ts";');
  await assert.rejects(buildPage(source, out), /the page can't be built: .*main\.ts:1:\d+: ERROR/);
});

test("without a page there is nothing to build", async () => {
  assert.equal(await buildPage(join(top, "none"), out), false);
});
