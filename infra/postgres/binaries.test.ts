import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeOwnFolder } from "./binaries.ts";

const top = mkdtempSync(join(tmpdir(), "meridian-binaries-"));
after(() => rmSync(top, { recursive: true, force: true }));

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

test("a folder for the programs is made, and is taken again", () => {
  const path = join(top, "deep", "own");
  makeOwnFolder(path);
  makeOwnFolder(path);
  assert.equal(modeOf(path), 0o755);
});

test("what somebody else may have put there is refused, and not touched", () => {
  const open = join(top, "open");
  mkdirSync(open);
  chmodSync(open, 0o777);
  const secret = join(top, "secret");
  mkdirSync(secret, { mode: 0o700 });
  const link = join(top, "link");
  symlinkSync(secret, link);
  const file = join(top, "file");
  writeFileSync(file, "", { mode: 0o600 });
  for (const path of [open, link, file]) {
    assert.throws(() => makeOwnFolder(path), /is not this user's alone/, path);
  }
  assert.deepEqual([open, secret, file].map(modeOf), [0o777, 0o700, 0o600]);
});
