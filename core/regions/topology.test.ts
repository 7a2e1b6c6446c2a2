import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadTopology } from "./topology.ts";

const region = { id: "beijing", name: "Beijing", latitude: 39.9, longitude: 116.4, capacity: 10 };
const core = { name: "Shanghai", latitude: 31.23, longitude: 121.47 };

test("the topology that is shipped is right", () => {
  const topology = loadTopology(join(import.meta.dirname, "../../infra/topology/china.json"));
  assert.equal(topology.core.name, "Shanghai");
  assert.deepEqual(
    topology.regions.map(({ id }) => id),
    ["beijing", "tianjin", "shanghai", "wuhan", "shenzhen"],
  );
});

test("a wrong file is refused in one line that names what is wrong", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "meridian-topology-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const path = join(dir, "topology.json");
  const wrong: [unknown, RegExp][] = [
    [{ core, regions: [] }, /regions: /],
    [{ core, regions: [region, region] }, /regions\.1\.id: "beijing" is there twice/],
    [{ core, regions: [{ ...region, id: "Bei Jing" }] }, /regions\.0\.id: a slug/],
    [{ core, regions: [{ ...region, latitude: 200 }] }, /regions\.0\.latitude: /],
    [{ core, regions: [{ ...region, wieght: 2 }] }, /wieght/],
    [{ regions: [region] }, /core: /],
  ];
  for (const [content, message] of wrong) {
    writeFileSync(path, JSON.stringify(content));
    assert.throws(() => loadTopology(path), message);
  }
  writeFileSync(path, "{");
  assert.throws(() => loadTopology(path), /can't read the topology file .*topology\.json: /);
  assert.throws(() => loadTopology(join(dir, "none.json")), /can't read the topology file/);
  writeFileSync(path, JSON.stringify({ core, regions: [region] }));
  assert.equal(loadTopology(path).regions[0]?.weight, 1);
});
