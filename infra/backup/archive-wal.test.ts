/** The program that PostgreSQL runs for each segment, by itself. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const PROGRAM = join(import.meta.dirname, "archive-wal.sh");
const NAME = "000000010000000000000001";
const top = mkdtempSync(join(tmpdir(), "meridian-archive-"));
after(() => rmSync(top, { recursive: true, force: true }));
let made = 0;

/** An archive, and a segment to be put there. */
function scene() {
  made += 1;
  const folder = join(top, `archive ${made}`);
  mkdirSync(folder);
  const segment = join(top, `segment-${made}`);
  writeFileSync(segment, `log ${made}`.repeat(10_000));
  return { folder, segment };
}

function run(...args: string[]): number | null {
  return spawnSync("sh", [PROGRAM, ...args]).status;
}

for (const how of ["plain", "gzip"]) {
  test(`a segment is put whole and comes back the same, ${how}`, () => {
    const { folder, segment } = scene();
    assert.equal(run("put", folder, segment, NAME, how), 0);
    assert.deepEqual(readdirSync(folder), [how === "gzip" ? `${NAME}.gz` : NAME]);
    const back = join(folder, "back");
    assert.equal(run("get", folder, NAME, back), 0);
    assert.deepEqual(readFileSync(back), readFileSync(segment));
  });

  test(`the same once more is done, another is refused and replaces nothing, ${how}`, () => {
    const { folder, segment } = scene();
    assert.equal(run("put", folder, segment, NAME, how), 0);
    assert.equal(run("put", folder, segment, NAME), 0, "however it is there");
    const before = readFileSync(segment);
    writeFileSync(segment, "another server's");
    assert.equal(run("put", folder, segment, NAME, how), 1);
    const back = join(folder, "back");
    assert.equal(run("get", folder, NAME, back), 0);
    assert.deepEqual(readFileSync(back), before);
  });
}

test("a disk that is full leaves nothing under the segment's name, and is not taken for done", () => {
  const { folder, segment } = scene();
  // What is left of an earlier try does not stay either.
  writeFileSync(join(folder, `.half-${NAME}.1`), "half");
  const full = spawnSync("sh", [
    "-c",
    `ulimit -f 8; exec sh "$0" "$@"`,
    PROGRAM,
    "put",
    folder,
    segment,
    NAME,
  ]);
  assert.notEqual(full.status, 0);
  assert.deepEqual(readdirSync(folder), []);
  assert.equal(run("put", folder, segment, NAME), 0);
});

test("what is not there is the archive's end; what can't be read is not", () => {
  const { folder, segment } = scene();
  const back = join(top, "back");
  assert.equal(run("get", folder, NAME, back), 1);
  assert.equal(run("get", join(top, "never"), NAME, back), 200);
  assert.equal(run("put", folder, segment, NAME, "gzip"), 0);
  const path = join(folder, `${NAME}.gz`);
  chmodSync(path, 0o600);
  writeFileSync(path, readFileSync(path).subarray(0, 40));
  assert.equal(run("get", folder, NAME, back), 200);
  assert.equal(existsSync(back), false, "half a segment is none");
});

test("names that lead elsewhere are refused", () => {
  const { folder, segment } = scene();
  for (const name of ["../x", ".hidden", "a b", ""]) {
    assert.equal(run("put", folder, segment, name), 1, name);
    assert.equal(run("get", folder, name, join(top, "back")), 200, name);
  }
  assert.deepEqual(readdirSync(folder), []);
  assert.equal(run("steal"), 200);
});
