/** What the two commands make of their arguments; what they do is in restore.test.ts. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { runBackup, UsageError } from "./command.ts";
import { runRestore } from "./restore-command.ts";

const top = mkdtempSync(join(tmpdir(), "meridian-backup-command-"));
after(() => rmSync(top, { recursive: true, force: true }));
const said: string[] = [];
const { signal } = new AbortController();
const around = { clock: systemClock, say: (line: string) => said.push(line), signal };
const backup = (words: string) => runBackup(words.split(" "), { ...around, env: {} });
const restore = (words: string) => runRestore(words.split(" "), around);

test("each mistake gets one clear line", async () => {
  const mistakes: [Promise<number>, RegExp][] = [
    [backup("list"), /--to DIR is missing/],
    [backup("steal --to x"), /there is no command "steal"/],
    [backup("list more --to x"), /there is too much: more/],
    [backup("prune --to x"), /--keep {2}is no number/],
    [backup("prune --to x --keep 0.5"), /1 at least/],
    [backup("--to x --wrong"), /wrong/],
    [restore("--latest"), /--from DIR is missing/],
    [restore("--from x"), /say what becomes of it/],
    [restore("--from x --data y --world"), /say what becomes of it/],
    [restore("--from x --data y --latest --to-lsn 0/1"), /say one of/],
    [restore("--from x --data y --to-time 2026-01-31T12:30:00"), /no time with its zone/],
    [restore("--from x --data y --to-time 2026-01-41T12:30:00Z"), /no time with its zone/],
    [restore("--from x --data y --to-lsn 12"), /no place in the log/],
    [restore("--from x --data y --timeline 0"), /no number of a timeline/],
  ];
  for (const [ended, message] of mistakes) {
    await assert.rejects(ended, (error: unknown) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});

test("where there is no backup, one is told so", async () => {
  assert.equal(await backup(`list --to ${top} --max-age-h 26`), 1);
  assert.match(said.at(-1) ?? "", /has no backup/);
  await assert.rejects(backup(`verify --to ${top}`), /has no backup/);
  await assert.rejects(restore(`--from ${top} --data ${join(top, "new")}`), /no backup in/);
  assert.equal(existsSync(join(top, "new")), false);
});

test("the settings name the archive, whatever its path looks like", async () => {
  const folder = join(top, "100% o'clock");
  await runBackup(["settings", "--to", folder], { ...around, env: {} });
  const text = said.at(-1) ?? "";
  assert.match(text, /^archive_mode = 'on'$/m);
  // Quoted for the shell, where PostgreSQL replaces what begins with a percent sign, and then for its own file.
  assert.ok(text.includes(`100%% o''\\''''clock/wal/archive-wal.sh`), text);
  assert.ok(existsSync(join(folder, "wal/archive-wal.sh")));
});
