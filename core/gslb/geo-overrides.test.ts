import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { BlockList } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import {
  type GeoOverride,
  GeoOverrideTable,
  loadGeoOverrides,
  parseGeoOverrides,
} from "./geo-overrides.ts";
import { dotted, parseIpAddress, parseIpRange } from "./ip-address.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-geo-"));
after(() => rmSync(dir, { recursive: true }));

function fileOf(text: string): string {
  const path = join(dir, "overrides.txt");
  writeFileSync(path, text);
  return path;
}

function labelIn(overrides: readonly GeoOverride[], address: string): string | undefined {
  const parsed = parseIpAddress(address);
  assert.ok(parsed, address);
  return new GeoOverrideTable(overrides).find(parsed)?.label;
}

test("a wrong entry is named", () => {
  assert.deepEqual(parseGeoOverrides(""), []);
  for (const wrong of [
    "127.0.0.0=1,2",
    "127.0.0.0/33=1,2",
    "::ffff:127.0.0.0/95=1,2",
    "fe80::%1/64=1,2",
    "x/8=1,2",
    "10.0.0.0/8=91,2",
    "10.0.0.0/8=1, ",
    "10.0.0.0/8",
  ]) {
    assert.throws(
      () => parseGeoOverrides(wrong),
      new RegExp(`"${wrong.slice(0, 4)}.* is not CIDR`),
    );
  }
  assert.throws(() => parseGeoOverrides(`10.0.0.0/8=1,2,${"x".repeat(65)}`), /64 characters/);
  assert.throws(
    () => parseGeoOverrides("10.0.0.0/8=1,2,a; 10.9.9.9/8=1,2,b"),
    /"b" is there twice/,
  );
});

test("a file has an entry a line, with comments; what is wrong is told with its line", () => {
  const path = fileOf(
    "# ours\n10.0.0.0/8=1,2,Lab # the lab\n\n  2001:db8::/32=39.9,116.4,Beijing, lab\r\n",
  );
  const overrides = loadGeoOverrides(path);
  assert.equal(labelIn(overrides, "10.1.2.3"), "Lab");
  assert.equal(labelIn(overrides, "2001:db8::7"), "Beijing, lab");
  assert.throws(
    () => loadGeoOverrides(fileOf("\n10.0.0.0/8=1\n")),
    /overrides\.txt, line 2: "10\.0/,
  );
  assert.throws(() => loadGeoOverrides(fileOf("10.0.0.0/8=1,2\n".repeat(2))), /there twice/);
  assert.throws(() => loadGeoOverrides(fileOf("#".repeat(1024 * 1024 + 1))), /more than 1048576/);
  const many = Array.from({ length: 10_001 }, (_, n) => `${dotted(n * 256)}/24=1,2,x`);
  assert.throws(() => loadGeoOverrides(fileOf(many.join("\n"))), /10000 entries at most/);
  assert.equal(loadGeoOverrides(fileOf(many.slice(1).join("\n"))).length, 10_000);
  assert.throws(() => loadGeoOverrides(join(dir, "missing")), /ENOENT/);
  assert.throws(() => loadGeoOverrides(dir), /is no file/);
  const escaping = fileOf("10.0.0.0/8=1,2,\u001b[2Jlab\n");
  assert.throws(() => loadGeoOverrides(escaping), /line 1: .* characters that can't be shown$/);
});

test("the longest prefix counts, in whichever order; of the same range the later source", () => {
  const file = parseGeoOverrides("10.0.0.0/8=1,2,eight;10.1.0.0/16=1,2,sixteen;0.0.0.0/0=1,2,all");
  const setting = parseGeoOverrides("10.0.0.0/8=1,2,ours;10.1.2.3/32=1,2,one");
  const both = [...file, ...setting];
  assert.equal(labelIn(both, "10.1.2.3"), "one");
  assert.equal(labelIn(both, "10.1.2.4"), "sixteen");
  assert.equal(labelIn(both, "10.2.0.0"), "ours");
  assert.equal(labelIn(both, "203.0.113.9"), "all");
  assert.equal(labelIn(both, "2001:db8::1"), undefined);
});

test("IPv4 that is written as IPv6 is IPv4, in addresses and in ranges", () => {
  const overrides = parseGeoOverrides("::ffff:10.0.0.0/104=1,2,mapped;::/0=1,2,six");
  assert.equal(labelIn(overrides, "10.200.0.1"), "mapped");
  assert.equal(labelIn(overrides, "::ffff:a00:1"), "mapped");
  assert.equal(labelIn(overrides, "64:ff9b::10.0.0.1"), "six");
  assert.equal(labelIn(overrides, "fe80::1%eth0"), "six");
  for (const text of [
    "",
    "nonsense",
    "10.0.0",
    "10.0.0.0.0",
    "1::2::3",
    "unknown",
    "10.0.0.1:80",
  ]) {
    assert.equal(parseIpAddress(text), undefined, text);
  }
});

test("the table finds what Node's own list finds", () => {
  const group = fc.constantFrom("0", "1", "ff", "8000", "ffff");
  const byte = fc.constantFrom(0, 1, 127, 128, 255);
  const ipv6 = fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => groups.join(":"));
  const ipv4 = fc.array(byte, { minLength: 4, maxLength: 4 }).map((bytes) => bytes.join("."));
  const pair = fc.oneof(
    fc.tuple(fc.constant("ipv4" as const), ipv4, ipv4, fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.constant("ipv6" as const), ipv6, ipv6, fc.integer({ min: 0, max: 128 })),
  );
  fc.assert(
    fc.property(pair, ([family, network, address, prefix]) => {
      const list = new BlockList();
      list.addSubnet(network, prefix, family);
      const range = parseIpRange(`${network}/${prefix}`);
      const place = { latitude: 1, longitude: 2, label: "here", source: "override" } as const;
      const overrides = range ? [{ range, place }] : [];
      assert.ok(range);
      assert.equal(labelIn(overrides, address) !== undefined, list.check(address, family));
    }),
  );
});
