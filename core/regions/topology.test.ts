import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadTopology, RegionSpec } from "./topology.ts";

const region = { id: "beijing", name: "Beijing", latitude: 39.9, longitude: 116.4, capacity: 10 };
const other = { ...region, id: "tianjin", name: "Tianjin" };
const core = { name: "Shanghai", latitude: 31.23, longitude: 121.47 };

const dir = mkdtempSync(join(tmpdir(), "meridian-topology-"));
after(() => rmSync(dir, { recursive: true }));
const path = join(dir, "topology.json");

function load(content: unknown) {
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return loadTopology(path);
}

const shipped = (name: string) =>
  loadTopology(join(import.meta.dirname, `../../infra/topology/${name}.json`));

test("the topologies that are shipped are right", () => {
  const china = shipped("china");
  assert.equal(china.core.name, "Shanghai");
  assert.deepEqual(
    china.regions.map(({ id }) => id),
    ["beijing", "tianjin", "shanghai", "wuhan", "shenzhen"],
  );
  const global = shipped("global");
  assert.equal(global.regions.length, 12);
  const continents = new Set(global.regions.map(({ labels }) => labels.continent));
  assert.equal(continents.size, 6, "all continents where people play");
  for (const { regions } of [china, global]) {
    for (const { id, publicAddresses } of regions) {
      assert.ok(
        publicAddresses.some((address) => address.startsWith("203.0.113.")),
        id,
      );
      assert.ok(
        publicAddresses.some((address) => address.startsWith("2001:db8:")),
        id,
      );
    }
  }
});

test("the example of the document is right, and has every field", () => {
  const document = readFileSync(join(import.meta.dirname, "../../docs/topology.md"), "utf8");
  const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(document)?.[1] ?? "");
  const shanghai = { ...region, id: "shanghai" };
  const { regions } = load({ ...example, regions: [...example.regions, other, shanghai] });
  assert.deepEqual(Object.keys(regions[0] ?? {}), Object.keys(RegionSpec.shape));
});

test("what a region does not say has a default", () => {
  assert.deepEqual(load({ core, regions: [region] }).regions[0], {
    ...region,
    weight: 1,
    publicAddresses: [],
    state: "active",
    labels: {},
  });
});

test("everything that a region can say is taken, addresses in one form", () => {
  const whole = {
    ...region,
    weight: 0.5,
    publicAddresses: ["203.0.113.1", "2001:DB8:0:0::1"],
    privateAddress: "beijing.internal:7401",
    state: "draining",
    labels: { provider: "ours", "rack-row": "3 β" },
    neighbours: ["tianjin"],
    nodes: { min: 2, max: 4 },
    playUrl: "https://beijing.example.com/play?from=meridian",
  };
  const publicAddresses = ["203.0.113.1", "2001:db8::1"];
  assert.deepEqual(load({ core, regions: [whole, other] }).regions[0], {
    ...whole,
    publicAddresses,
  });
});

const wrong: [unknown, RegExp][] = [
  [{ core, regions: [] }, /: regions: /],
  [{ core, regions: [region, region] }, /: regions\.1\.id: "beijing" is there twice$/],
  [{ core, regions: [{ ...region, id: "Bei Jing" }] }, /: regions\.0\.id: a slug/],
  [{ core, regions: [{ ...region, id: "constructor" }] }, /: regions\.0\.id: a name that /],
  [{ core, regions: [{ ...region, latitude: 200 }] }, /: regions\.0\.latitude: /],
  [{ core, regions: [{ ...region, wieght: 2 }] }, /: regions\.0\.wieght: there is no such field$/],
  [{ core, regions: [region], more: 1 }, /: more: there is no such field$/],
  [{ regions: [region] }, /: core: /],
  [[], /: it: /],
  [
    { core, regions: Array.from({ length: 65 }, (_, n) => ({ ...region, id: `r${n}` })) },
    /: regions: /,
  ],
];
for (const text of ["10.0.0.1/8", "203.0.113.256", "fe80::1%eth0", "play.example.com", ""]) {
  const publicAddresses = ["203.0.113.1", text];
  const message = /: regions\.0\.publicAddresses\.1: not an IPv4 or IPv6 address$/;
  wrong.push([{ core, regions: [{ ...region, publicAddresses }] }, message]);
}
const one = { ...region, publicAddresses: ["2001:db8::1"] };
const many = Array.from({ length: 17 }, (_, n) => `203.0.113.${n}`);
wrong.push(
  [
    { core, regions: [one, { ...other, publicAddresses: ["2001:DB8::0:1"] }] },
    /: regions\.1\.publicAddresses\.0: 2001:db8::1 is one of "beijing" already$/,
  ],
  [{ core, regions: [{ ...region, publicAddresses: many }] }, /: regions\.0\.publicAddresses: /],
);
for (const text of ["beijing.internal", "beijing.internal:0", "beijing.internal:70000", ":1"]) {
  const message = /: regions\.0\.privateAddress: /;
  wrong.push([{ core, regions: [{ ...region, privateAddress: text }] }, message]);
}
const lots = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`l${n}`, "x"]));
wrong.push(
  [{ core, regions: [{ ...region, nodes: { min: 3, max: 2 } }] }, /: regions\.0\.nodes: min is/],
  [{ core, regions: [{ ...region, nodes: { min: 0, max: 2 } }] }, /: regions\.0\.nodes\.min: /],
  [{ core, regions: [{ ...region, state: "fenced" }] }, /: regions\.0\.state: /],
  [{ core, regions: [{ ...region, labels: { Tier: "1" } }] }, /: regions\.0\.labels\.Tier: /],
  [{ core, regions: [{ ...region, labels: { tier: 1 } }] }, /: regions\.0\.labels\.tier: /],
  [{ core, regions: [{ ...region, labels: { a: "x".repeat(65) } }] }, /: regions\.0\.labels\.a: /],
  [{ core, regions: [{ ...region, labels: lots }] }, /: regions\.0\.labels: 16 labels at most$/],
);
const neighbours = (list: string[]) => ({
  core,
  regions: [{ ...region, neighbours: list }, other],
});
wrong.push(
  [{ core, regions: [{ ...region, name: "\u001b[2J" }] }, /: regions\.0\.name: printable/],
  [neighbours([]), /: regions\.0\.neighbours: leave it out/],
  [neighbours(["lhasa"]), /: regions\.0\.neighbours\.0: there is no region "lhasa"$/],
  [neighbours(["tianjin", "beijing"]), /: regions\.0\.neighbours\.1: .* no neighbour of itself$/],
  [neighbours(["tianjin", "tianjin"]), /: regions\.0\.neighbours\.1: "tianjin" again$/],
);
for (const playUrl of [
  "/play",
  "ftp://example.com/",
  "https:example.com",
  "https://ada@example.com/",
  "https://example.com/#top",
  "javascript:alert(1)",
  `https://example.com/${"x".repeat(2_048)}`,
]) {
  wrong.push([{ core, regions: [{ ...region, playUrl }] }, /: regions\.0\.playUrl: /]);
}

test("a wrong file is refused in one line that names what is wrong by its path", () => {
  for (const [content, message] of wrong) {
    assert.throws(() => load(content), message, JSON.stringify(content).slice(0, 200));
  }
});

test("all problems are told, up to a number that can be read", () => {
  const bad = { ...region, latitude: 100, longitude: 200 };
  assert.throws(() => load({ core, regions: [bad] }), /latitude: .*; regions\.0\.longitude: /);
  const regions = Array.from({ length: 12 }, (_, n) => ({ ...region, id: `r${n}`, capacity: 0 }));
  assert.throws(() => load({ core, regions }), /regions\.9\.capacity: [^;]*; and 2 more$/);
});

test("what can't be read is named, and nothing large is read at all", () => {
  const unread = /^Error: can't read the topology file .*topology\.json: /;
  assert.throws(() => load("{"), unread);
  assert.throws(() => load(""), unread);
  assert.throws(() => load(" ".repeat(1024 * 1024 + 1)), /it has more than 1048576 bytes$/);
  assert.throws(() => loadTopology(dir), /it is no file$/);
  assert.throws(() => loadTopology(join(dir, "none.json")), /can't read the topology file/);
});
