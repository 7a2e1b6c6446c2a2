import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readLocalTopology } from "./topology.ts";

test("regions that are left out are nobody's neighbours, and all else stays", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "meridian-topology-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "topology.json");
  const place = { name: "x", latitude: 1, longitude: 2 };
  const region = (id: string, more: object) => ({ id, ...place, labels: { of: id }, ...more });
  const core = { ...place };
  const written = {
    core,
    regions: [
      region("a", { neighbours: ["c", "b"] }),
      region("b", { neighbours: ["c"] }),
      region("c", {}),
    ],
  };
  writeFileSync(path, JSON.stringify(written));
  assert.deepEqual(readLocalTopology(path, 3), written);
  assert.deepEqual(readLocalTopology(path, 2), {
    core,
    regions: [region("a", { neighbours: ["b"] }), region("b", {})],
  });
  assert.throws(() => readLocalTopology(path, 4), /topology\.json has 3 regions only/);
});
