/**
 * The layers hold: `shared` imports neither core nor region, those two never import each other, and
 * no imports run in a circle. `npm run check` has Biome look at the real tree; this plants violations to prove that it
 * finds them.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const biome = join(root, "node_modules/.bin/biome");

/** Lints a little tree of files under the project's own rules; answers what Biome reports. */
function lint(files: Record<string, string>): string {
  const dir = mkdtempSync(join(tmpdir(), "meridian-boundaries-"));
  try {
    cpSync(join(root, "biome.json"), join(dir, "biome.json"));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, path)), { recursive: true });
      writeFileSync(join(dir, path), text);
    }
    const result = spawnSync(biome, ["lint", "--vcs-enabled=false", "--reporter=github", "."], {
      cwd: dir,
      encoding: "utf8",
      timeout: 30_000,
    });
    return result.stdout + result.stderr;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const leaf = "export const leaf = 1;\n";
const using = (from: string) => `import { leaf } from "${from}";\nexport const used = leaf;\n`;

test("a core that imports a region is found, and the reverse", () => {
  const forbidden = /noRestrictedImports/;
  assert.match(lint({ "region/a.ts": leaf, "core/x/b.ts": using("../../region/a.ts") }), forbidden);
  assert.match(lint({ "core/a.ts": leaf, "region/x/b.ts": using("../../core/a.ts") }), forbidden);
});

test("a shared file that imports core or region is found", () => {
  const forbidden = /noRestrictedImports/;
  assert.match(lint({ "core/a.ts": leaf, "shared/b.ts": using("../core/a.ts") }), forbidden);
  assert.match(
    lint({ "region/a.ts": leaf, "shared/x/b.ts": using("../../region/a.ts") }),
    forbidden,
  );
});

test("core and region may import shared", () => {
  const report = lint({
    "shared/a.ts": leaf,
    "core/b.ts": using("../shared/a.ts"),
    "region/b.ts": using("../shared/a.ts"),
  });
  assert.doesNotMatch(report, /noRestrictedImports|noImportCycles/);
});

test("imports that run in a circle are found", () => {
  const report = lint({
    "core/a.ts": 'import { b } from "./b.ts";\nexport const a = (): number => b();\n',
    "core/b.ts": 'import { a } from "./a.ts";\nexport const b = (): number => a();\n',
  });
  assert.match(report, /noImportCycles/);
});
