import assert from "node:assert/strict";
import { test } from "node:test";
import { configurationPage, isCurrent } from "./configuration.ts";

test("docs/configuration.md is what the settings make", () => {
  assert.ok(isCurrent(), 'docs/configuration.md is stale: run "npm run docs"');
});

test("the page names settings of both processes, and which are secret", () => {
  const page = configurationPage();
  assert.match(page, /\| `CORE_PORT` \| `7300` \|/);
  assert.match(page, /\| `REGION_ID` \| required \|/);
  assert.match(page, /`MASTER_KEY_FILE` may name a file instead/);
});
