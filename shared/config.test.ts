import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { as, ConfigError, describeSettings, readConfig } from "./config.ts";

const settings = {
  PORT: { schema: as.port, description: "Where to listen.", default: "7300" },
  SECRET: { schema: as.text, description: "A secret.", secret: true },
  HOSTS: { schema: as.list, description: "Some hosts.", default: "" },
  DEBUG: { schema: as.flag, description: "Says more.", default: "false" },
} as const;

test("settings are parsed, and absent ones take their default", () => {
  const values = readConfig(settings, { SECRET: "s", HOSTS: "a, b,,c", DEBUG: "true" });
  assert.deepEqual(values, { PORT: 7300, SECRET: "s", HOSTS: ["a", "b", "c"], DEBUG: true });
});

test("a secret may come from a file", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "meridian-config-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "secret"), "from the file\n");
  const values = readConfig(settings, { SECRET_FILE: join(dir, "secret") });
  assert.equal(values.SECRET, "from the file");
});

test("every problem is named at once", () => {
  const env = { PORT: "70000", DEBUG: "maybe", SECRET_FILE: "/nowhere/at/all" };
  assert.throws(
    () => readConfig(settings, env),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => problem.split(":")[0]),
        ["PORT", "SECRET_FILE", "DEBUG"],
      );
      return true;
    },
  );
  assert.throws(() => readConfig(settings, {}), /SECRET is not set: A secret\./);
});

test("the reference names every variable, its default and whether it is secret", () => {
  const table = describeSettings(settings);
  assert.match(table, /\| `PORT` \| `7300` \| Where to listen\. \|/);
  assert.match(table, /\| `SECRET` \| required \| A secret\. Secret: `SECRET_FILE`/);
});
