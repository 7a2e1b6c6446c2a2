/** The native binary is the one that was reviewed, and one file alone brings it in. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { UWS_BINARIES } from "./uws-binaries.ts";

const bin = join(dirname(fileURLToPath(import.meta.resolve("uWebSockets.js"))), "bin");
const root = fileURLToPath(new URL("../..", import.meta.url));

test("the binaries are the pinned ones, and this platform's is among them", () => {
  const { platform, arch, versions } = process;
  assert.ok(UWS_BINARIES[`uws_${platform}_${arch}_${versions.modules}.node`], "this platform's");
  for (const [file, expected] of Object.entries(UWS_BINARIES)) {
    const actual = createHash("sha256")
      .update(readFileSync(join(bin, file)))
      .digest("hex");
    assert.equal(actual, expected, file);
  }
});

test("one file imports uWebSockets.js", () => {
  const importers = ["core", "region", "shared", "infra", "loadtest"].flatMap((folder) =>
    sources(join(root, folder)).filter((path) =>
      /\bfrom "uWebSockets\.js"/.test(readFileSync(path, "utf8")),
    ),
  );
  assert.deepEqual(importers, [join(root, "region/transport/uws.ts")]);
});

test("Colyseus' matchmaker is touched by the one file that contains it, and by rooms", () => {
  const importers = sources(join(root, "region")).filter((path) =>
    /\bmatchMaker\b/.test(readFileSync(path, "utf8")),
  );
  const strangers = importers
    .map((path) => path.slice(root.length))
    .filter((path) => !path.startsWith("region/rooms/") && !path.endsWith(".test.ts"));
  assert.deepEqual(strangers, ["region/node/colyseus.ts"]);
});

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}
