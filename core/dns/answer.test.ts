import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Chance, testSeed } from "../../shared/chance.testkit.ts";
import { RegionId } from "../../shared/ids.ts";
import { rank } from "../gslb/ranking.ts";
import { type Answering, answer, EQUAL_MS, type Regions, regionsOf } from "./answer.ts";
import type { DnsView, ViewRegion } from "./view.ts";
import type { Zone } from "./zone.ts";

const core = { latitude: 31.23, longitude: 121.47 };
const zone: Zone = {
  zone: "meridian.test",
  play: "play.meridian.test",
  nameServers: [
    { host: "ns1.meridian.test", addresses: ["192.0.2.53", "2001:db8::53"] },
    { host: "ns.elsewhere.example", addresses: [] },
  ],
  ttlSeconds: 20,
  negativeTtlSeconds: 5,
  answersMax: 3,
};
const beijing = { latitude: 39.9, longitude: 116.4 };
const hangzhou = { latitude: 30.27, longitude: 120.16 };
/** Whoever asks, by the address that is looked up. */
const places: Readonly<Record<string, typeof core>> = {
  "166.111.4.0": beijing,
  "192.0.2.1": hangzhou,
};
const locate: Answering["locate"] = (address) => {
  const place = places[address];
  return place
    ? { ...place, label: "a place", source: "geo-ip" }
    : { latitude: 0, longitude: 0, label: "nowhere", source: "default" };
};

function region(id: string, change: Partial<ViewRegion> = {}): ViewRegion {
  return {
    regionId: RegionId.parse(id),
    ...beijing,
    weight: 1,
    obstacle: null,
    full: false,
    loadMs: 0,
    addresses: [`203.0.113.${id.length}`, `2001:db8:${id.length}::1`],
    ...change,
  };
}

function view(...regions: ViewRegion[]): Regions {
  const whole: DnsView = { version: "1", core, regions };
  return regionsOf(whole);
}

const china = view(region("beijing"), region("shanghai", core));
const chance = new Chance(testSeed());
const random = () => chance.float();

function ask(qname: string, qtype: string, regions: Regions | undefined = china, subnet?: string) {
  const query = { qname, qtype, remote: "192.0.2.1", realRemote: subnet };
  return answer(query, { zone, regions, locate, random });
}
const contents = (...asked: Parameters<typeof ask>) =>
  ask(...asked).records.map(({ qtype, content }) => `${qtype} ${content}`);

test("players get the nearest region: by their subnet, by their resolver, else by the core's place", () => {
  const play = "play.meridian.test.";
  assert.deepEqual(contents(play, "A", china, "166.111.4.0/24"), ["A 203.0.113.7"]);
  assert.deepEqual(contents(play, "A", china, "192.0.2.1/32"), ["A 203.0.113.8"]);
  assert.deepEqual(contents(play, "A", china, "10.0.0.0/24"), ["A 203.0.113.8"]);
  assert.deepEqual(contents(play, "ANY", china, "166.111.4.0/24"), [
    "A 203.0.113.7",
    "AAAA 2001:db8:7::1",
  ]);
  assert.deepEqual(ask(play, "A", china, "166.111.4.77/32").records, [
    { qtype: "A", qname: play, content: "203.0.113.7", ttl: 20, scopeMask: 24 },
  ]);
});

test("names are the same in capitals, and come back as they were asked", () => {
  const [record] = ask("PlAy.MERIDIAN.test.", "A").records;
  assert.equal(record?.qname, "PlAy.MERIDIAN.test.");
  assert.deepEqual(contents("NS1.Meridian.test.", "A"), ["A 192.0.2.53"]);
});

test("the zone's own records are the same for everybody", () => {
  assert.deepEqual(contents("meridian.test.", "ANY"), [
    "SOA ns1.meridian.test. hostmaster.meridian.test. 1 3600 600 86400 5",
    "NS ns1.meridian.test.",
    "NS ns.elsewhere.example.",
  ]);
  assert.deepEqual(contents("ns1.meridian.test.", "AAAA"), ["AAAA 2001:db8::53"]);
  const records = ask("meridian.test.", "ANY").records;
  assert.ok(records.every(({ scopeMask }) => scopeMask === undefined));
  assert.equal(records[0]?.ttl, 5);
});

test("there is nothing else, in the zone or out of it", () => {
  const names = [
    "nope.meridian.test.",
    "a.play.meridian.test.",
    "play.meridian.test.example.",
    ".",
  ];
  for (const name of [...names, "ns.elsewhere.example.", "xplay.meridian.test.", ""]) {
    assert.deepEqual(ask(name, "ANY"), { outcome: "none", records: [] }, name);
  }
  for (const type of ["SOA", "NS", "MX", "TXT", "CNAME", "nonsense"]) {
    assert.deepEqual(ask("play.meridian.test.", type), { outcome: "none", records: [] }, type);
  }
});

test("a region that takes nobody is never given, also when there is no other", () => {
  const drained = region("beijing", { obstacle: "draining: it takes no new players" });
  const one = view(drained, region("shanghai", core));
  assert.deepEqual(contents("play.meridian.test.", "A", one, "166.111.4.0/24"), ["A 203.0.113.8"]);
  const closed = ask("play.meridian.test.", "ANY", view(drained));
  assert.equal(closed.outcome, "closed");
  // The name is still one: it has another record.
  assert.deepEqual(
    closed.records.map(({ qtype }) => qtype),
    ["TXT"],
  );
});

test("with every seat taken players get the best region to wait in", () => {
  const full = { obstacle: "full", full: true };
  const play = "play.meridian.test.";
  const drained = region("tianjin", { obstacle: "draining: it takes no new players" });
  const all = view(region("beijing", full), drained, region("shanghai", { ...core, ...full }));
  assert.deepEqual(contents(play, "A", all, "166.111.4.0/24"), ["A 203.0.113.7"]);
  assert.deepEqual(contents(play, "A", all, "192.0.2.1/32"), ["A 203.0.113.8"]);
  assert.equal(ask(play, "A", all).outcome, "full");
  const one = view(region("beijing", full), region("shanghai", core));
  assert.deepEqual(contents(play, "A", one, "166.111.4.0/24"), ["A 203.0.113.8"]);
  assert.equal(ask(play, "A", one).outcome, "regions");
});

test("without a view nothing is claimed, but the zone answers", () => {
  const query = { qname: "play.meridian.test.", qtype: "A", remote: "192.0.2.1" };
  const answering = { zone, regions: undefined, locate, random };
  assert.deepEqual(answer(query, answering), { outcome: "unknown", records: [] });
  assert.equal(answer({ ...query, qname: "meridian.test." }, answering).records.length, 0);
  const soa = { ...query, qname: "meridian.test.", qtype: "SOA" };
  assert.equal(answer(soa, answering).outcome, "fixed");
});

test("a region of the other kind of address is no answer, and no sign that all are closed", () => {
  const six = view(region("beijing", { addresses: ["2001:db8::1"] }), region("shanghai", core));
  const subnet = "166.111.4.0/24";
  assert.deepEqual(contents("play.meridian.test.", "A", six, subnet), ["A 203.0.113.8"]);
  assert.deepEqual(contents("play.meridian.test.", "AAAA", six, subnet), ["AAAA 2001:db8::1"]);
  const only = view(region("beijing", { addresses: ["2001:db8::1"] }));
  assert.deepEqual(ask("play.meridian.test.", "A", only), { outcome: "regions", records: [] });
  const none = view(region("beijing", { addresses: [] }));
  assert.equal(ask("play.meridian.test.", "A", none).outcome, "closed");
});

test("regions that are as good are drawn by weight, further ones never", () => {
  const equal = view(
    region("heavy", { weight: 3 }),
    region("light", { addresses: ["203.0.113.99"] }),
    region("far", { ...core, addresses: ["203.0.113.100"] }),
  );
  const draws = 4_000;
  let heavyFirst = 0;
  for (let draw = 0; draw < draws; draw += 1) {
    const found = contents("play.meridian.test.", "A", equal, "166.111.4.0/24");
    assert.deepEqual([...found].sort(), ["A 203.0.113.5", "A 203.0.113.99"]);
    if (found[0] === "A 203.0.113.5") heavyFirst += 1;
  }
  // Four standard deviations of 4,000 throws of a die that is 3 to 1.
  const off = Math.abs(heavyFirst / draws - 0.75);
  assert.ok(off < 0.0274, `${heavyFirst} of ${draws}; TEST_SEED=${testSeed()}`);
});

test("as many addresses as allowed, from all of the regions in turn", () => {
  const addresses = (id: number) => [1, 2, 3, 4].map((n) => `203.0.113.${id * 10 + n}`);
  const two = view(
    region("a", { addresses: addresses(1) }),
    region("b", { addresses: addresses(2) }),
  );
  const found = contents("play.meridian.test.", "A", two, "166.111.4.0/24");
  assert.equal(found.length, 3);
  assert.equal(new Set(found.map((text) => text.at(-2))).size, 2);
  assert.equal(new Set(found).size, 3);
});

const regionArbitrary = fc.record({
  latitude: fc.double({ min: -90, max: 90, noNaN: true }),
  longitude: fc.double({ min: -180, max: 180, noNaN: true }),
  weight: fc.double({ min: 0.1, max: 10, noNaN: true }),
  taken: fc.constantFrom("no", "no", "full", "drained"),
  loadMs: fc.integer({ min: 0, max: 100 }),
  kinds: fc.constantFrom(["4"], ["6"], ["4", "6"], ["4", "4", "6"], []),
});

test("whatever the regions are, the answer is the ranking's", () => {
  const check = fc.property(fc.array(regionArbitrary, { maxLength: 12 }), (shapes) => {
    const regions = shapes.map(({ kinds, taken, ...shape }, index) =>
      region(`r${index}`, {
        ...shape,
        obstacle: taken === "no" ? null : taken,
        full: taken === "full",
        addresses: kinds.map((kind, n) =>
          kind === "4" ? `203.0.${index}.${n}` : `2001:db8:${index}:${n}::1`,
        ),
      }),
    );
    const known = view(...regions);
    const isGiven = ({ kinds, taken }: (typeof shapes)[number]) =>
      kinds.length > 0 && taken === "no";
    const candidates = shapes.some(isGiven) ? known.candidates : known.waitable;
    const ranked = rank(candidates, { place: beijing }).filter(({ eligible }) => eligible);
    for (const type of ["A", "AAAA"] as const) {
      const having = ranked.filter(
        ({ candidate }) => (known.addresses.get(candidate.regionId)?.[type] ?? []).length > 0,
      );
      const good = having.filter(({ score }) => score <= (having[0]?.score ?? 0) + EQUAL_MS);
      const allowed = good.flatMap(
        ({ candidate }) => known.addresses.get(candidate.regionId)?.[type] ?? [],
      );
      const { records } = ask("play.meridian.test.", type, known, "166.111.4.0/24");
      const found = records.map(({ content }) => content);
      assert.equal(found.length, Math.min(allowed.length, zone.answersMax));
      assert.equal(new Set(found).size, found.length);
      assert.ok(found.every((address) => allowed.includes(address)));
    }
  });
  fc.assert(check, { seed: testSeed(), numRuns: 300 });
});
