import assert from "node:assert/strict";
import { before, test } from "node:test";
import { GeoLocator } from "./geo-locator.ts";
import { parseGeoOverrides } from "./geo-overrides.ts";

const core = { name: "Shanghai", latitude: 31.23, longitude: 121.47 };
const locator = new GeoLocator(
  parseGeoOverrides("127.0.0.0/8=30.27,120.16,Hangzhou; 2001:db8::/32=39.9,116.4,Beijing, lab"),
  core,
);
before(() => locator.start());

test("overrides come first, for IPv4, IPv6 and IPv4 written as IPv6", () => {
  const hangzhou = {
    latitude: 30.27,
    longitude: 120.16,
    label: "Hangzhou",
    source: "override",
  };
  assert.deepEqual(locator.locate("127.0.0.1"), hangzhou);
  assert.deepEqual(locator.locate("::ffff:127.9.9.9"), hangzhou);
  assert.deepEqual(locator.locate("::ffff:7f09:909"), hangzhou);
  assert.equal(locator.locate("2001:db8:5::1").label, "Beijing, lab");
});

test("public addresses are on the map, IPv6 too", () => {
  const four = locator.locate("202.120.2.101");
  assert.equal(four.source, "geo-ip");
  assert.match(four.label, /CN$/);
  assert.ok(four.latitude > 18 && four.latitude < 54);
  assert.equal(locator.locate("2001:da8::1").source, "geo-ip");
  assert.deepEqual(locator.locate("::ffff:ca78:265"), locator.locate("202.120.2.101"));
});

test("an American address without a city is where most Americans are, not in the middle of the map", () => {
  const { label, latitude, longitude } = locator.locate("8.8.8.8");
  assert.deepEqual([label, latitude, longitude], ["US", 41.88, -87.63]);
});

test("what nobody knows is at the core", () => {
  for (const address of [
    "10.1.2.3",
    "192.168.1.1",
    "198.51.100.1",
    "::1",
    "fe80::1",
    "nonsense",
    "",
  ]) {
    const place = locator.locate(address);
    assert.deepEqual(place, { ...place, source: "default", label: "Shanghai" }, address);
  }
});

test("what nobody knows follows the core when that moves", () => {
  locator.moveFallback({ name: "Wuhan", latitude: 30.59, longitude: 114.31 });
  assert.equal(locator.locate("10.1.2.3").label, "Wuhan");
  assert.equal(locator.locate("127.0.0.1").label, "Hangzhou");
  locator.moveFallback(core);
});
