import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { until } from "../../test/until.ts";
import { watchFiles } from "./file-watch.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-watch-"));
after(() => rmSync(dir, { recursive: true }));
const write = (path: string, text: string) => writeFileSync(join(dir, path), text);

test("every way of saving is noticed, but of tests and scratch files", async () => {
  mkdirSync(join(dir, "duel"));
  write("duel/rules.ts", "1");
  write("duel/room.ts", "1");
  const seen = new Set<string>();
  const stop = watchFiles(dir, systemClock, (paths) => {
    for (const path of paths) seen.add(path);
  });
  try {
    write("duel/rules.ts", "22");
    await until("a save in place", () => seen.has("duel/rules.ts"));
    write("duel/.room.ts.swp", "333");
    renameSync(join(dir, "duel/.room.ts.swp"), join(dir, "duel/room.ts"));
    await until("a save by renaming", () => seen.has("duel/room.ts"));
    mkdirSync(join(dir, "chess"));
    write("chess/rules.test.ts", "1");
    write("chess/#rules.ts#", "1");
    write("chess/rules.ts", "1");
    await until("a new file in a new folder", () => seen.has("chess/rules.ts"));
    rmSync(join(dir, "chess/rules.ts"));
    seen.delete("chess/rules.ts");
    await until("a file that was removed", () => seen.has("chess/rules.ts"));
    assert.deepEqual([...seen].sort(), ["chess/rules.ts", "duel/room.ts", "duel/rules.ts"]);
  } finally {
    stop();
  }
});
