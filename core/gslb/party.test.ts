import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RegionId } from "../../shared/ids.ts";
import { candidateOf } from "./candidates.ts";
import { CAP_MAX_MS, CAP_MS, CAP_SLACK_MS, capAfterMs, rankParty } from "./party.ts";
import { arena, hangzhou, isOpen, plain, regionOf, shapes } from "./regions.testkit.ts";

const wayMs = fc.double({ min: 0, max: 600, noNaN: true });
const someWays = fc.array(wayMs, { minLength: 12, maxLength: 12 });
const parties = fc.record({
  shapes,
  waysMs: fc.array(someWays, { minLength: 1, maxLength: 8 }),
  waitedMs: fc.integer({ min: 0, max: 60_000 }),
});

function ask({
  shapes: given,
  waysMs,
  waitedMs,
}: typeof parties extends fc.Arbitrary<infer T> ? T : never) {
  const candidates = given.map((shape) => candidateOf(regionOf(shape), { game: arena }));
  const members = waysMs.map((ofMember) => ({
    place: hangzhou,
    roundTripsMs: Object.fromEntries(
      candidates.map(({ regionId }, index) => [regionId, ofMember[index] ?? 0]),
    ),
  }));
  return { candidates, members, ranked: rankParty(candidates, { members, waitedMs }) };
}

test("no member is sent past their cap, whatever the others claim to have measured", () => {
  fc.assert(
    fc.property(parties, (party) => {
      const { candidates, members, ranked } = ask(party);
      const open = candidates.filter(({ obstacle }) => obstacle === undefined);
      for (const { eligible, candidate } of ranked) {
        if (!eligible) continue;
        assert.equal(candidate.obstacle, undefined);
        for (const { roundTripsMs } of members) {
          const best = Math.min(...open.map(({ regionId }) => roundTripsMs[regionId] ?? 0));
          const cap = Math.max(capAfterMs(party.waitedMs), best + CAP_SLACK_MS);
          assert.ok((roundTripsMs[candidate.regionId] ?? 0) <= cap);
        }
      }
    }),
  );
});

test("at equal load no region is chosen that is worse for the worst member than another", () => {
  fc.assert(
    fc.property(parties, (party) => {
      const idle = party.shapes.map((shape) => ({ ...shape, connected: 0, utilisation: 0 }));
      const { members, ranked } = ask({ ...party, shapes: idle });
      const worstIn = (regionId: RegionId) =>
        Math.max(...members.map(({ roundTripsMs }) => roundTripsMs[regionId] ?? 0));
      const eligible = ranked.filter((one) => one.eligible);
      const first = eligible[0];
      if (!first) return;
      const best = Math.min(...eligible.map(({ candidate }) => worstIn(candidate.regionId)));
      assert.equal(worstIn(first.candidate.regionId), best);
    }),
  );
});

test("for a party too, a region that gets slower for a member, fuller or busier never moves up", () => {
  const worse = fc.record({
    slowerMs: fc.double({ min: 0, max: 300, noNaN: true }),
    connected: fc.integer({ min: 0, max: 100 }),
    busier: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(parties, worse, fc.nat(), (party, by, pick) => {
      const at = pick % party.shapes.length;
      const chosen = party.shapes[at];
      assert.ok(chosen);
      const placeIn = (changed: typeof party) =>
        ask(changed).ranked.findIndex(({ candidate }) => candidate.regionId === chosen.id);
      const before = placeIn(party);
      const [unlucky = [], ...others] = party.waysMs;
      const slower = unlucky.map((ms, index) => (index === at ? ms + by.slowerMs : ms));
      assert.ok(placeIn({ ...party, waysMs: [slower, ...others] }) >= before, "slower");
      const loaded = {
        ...chosen,
        connected: chosen.connected + by.connected,
        utilisation: Math.min(1, chosen.utilisation + by.busier),
      };
      const shapesAfter = party.shapes.map((shape) => (shape === chosen ? loaded : shape));
      const stillOpen = isOpen(chosen) && isOpen(loaded);
      if (stillOpen) assert.ok(placeIn({ ...party, shapes: shapesAfter }) >= before, "loaded");
    }),
  );
});

test("a party's order depends on neither the order of the topology nor that of its members", () => {
  fc.assert(
    fc.property(parties, ({ shapes: given, waysMs, waitedMs }) => {
      const order = ({ ranked }: ReturnType<typeof ask>) =>
        ranked.map(({ candidate, eligible, score }) => [candidate.regionId, eligible, score]);
      const straight = order(ask({ shapes: given, waysMs, waitedMs }));
      // What a member measured goes with the region, not with its place in the list.
      const turned = waysMs.map((ofMember) => ofMember.slice(0, given.length).reverse());
      const reversed = { shapes: [...given].reverse(), waysMs: turned.reverse(), waitedMs };
      assert.deepEqual(order(ask(reversed)), straight);
    }),
  );
});

test("waiting only ever opens regions, up to a limit", () => {
  fc.assert(
    fc.property(parties, fc.integer({ min: 0, max: 60_000 }), (party, moreMs) => {
      const eligible = (waitedMs: number) =>
        new Set(
          ask({ ...party, waitedMs })
            .ranked.filter((one) => one.eligible)
            .map(({ candidate }) => candidate.regionId),
        );
      const after = eligible(party.waitedMs + moreMs);
      for (const regionId of eligible(party.waitedMs)) assert.ok(after.has(regionId), regionId);
    }),
  );
  assert.equal(capAfterMs(0), CAP_MS);
  assert.equal(capAfterMs(3_600_000), CAP_MAX_MS);
});

test("a liar makes the party wait, and moves nobody", () => {
  const near = RegionId.parse("beijing");
  const far = RegionId.parse("lima");
  const candidates = [plain, { ...plain, id: "lima", latitude: -12, longitude: -77 }].map((shape) =>
    candidateOf(regionOf(shape), { game: arena }),
  );
  const honest = { place: hangzhou, roundTripsMs: { [near]: 25, [far]: 320 } };
  const liar = { place: hangzhou, roundTripsMs: { [near]: 60_000, [far]: 1 } };
  for (const waitedMs of [0, 10_000, 3_600_000]) {
    const ranked = rankParty(candidates, { members: [honest, liar], waitedMs });
    assert.ok(
      ranked.every((one) => !one.eligible),
      `after ${waitedMs} ms`,
    );
  }
  const [first] = rankParty(candidates, { members: [honest, honest], waitedMs: 0 });
  assert.equal(first?.candidate.regionId, near);
});

test("who insists on a far region makes the party wait for it, and moves nobody past their cap", () => {
  const near = RegionId.parse("beijing");
  const far = RegionId.parse("lima");
  const candidates = [plain, { ...plain, id: "lima", latitude: -12, longitude: -77 }].map((shape) =>
    candidateOf(regionOf(shape), { game: arena }),
  );
  const member = { place: hangzhou, roundTripsMs: { [near]: 25, [far]: 200 } };
  const isGiven = (waitedMs: number) =>
    rankParty(candidates, { members: [member, member], waitedMs, only: far })[0]?.eligible;
  assert.equal(isGiven(0), false);
  assert.equal(isGiven(20_000), true);
});

test("a member who is far from everywhere does not keep the party from playing", () => {
  const candidates = [plain].map((shape) => candidateOf(regionOf(shape), { game: arena }));
  const satellite = { place: hangzhou, roundTripsMs: { beijing: 640 } };
  const [only] = rankParty(candidates, { members: [{ place: hangzhou }, satellite], waitedMs: 0 });
  assert.ok(only?.eligible);
  assert.equal(only.roundTripMs, 640);
});
