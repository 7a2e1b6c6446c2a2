import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RegionId } from "../../shared/ids.ts";
import type { Wish } from "../regions/region-view.ts";
import { candidateOf, loadPenaltyMs } from "./candidates.ts";
import { explain, verdict } from "./explain.ts";
import { distanceKm, roundTripOverMs } from "./great-circle.ts";
import { FRIENDS_MS, HOME_MS, type RankingRequest, rank } from "./ranking.ts";
import { arena, hangzhou, isOpen, plain, regionOf, type Shape, shapes } from "./regions.testkit.ts";

function rankShapes(given: readonly Shape[], change: Partial<RankingRequest> = {}) {
  const candidates = given.map((shape) => candidateOf(regionOf(shape), { game: arena }));
  return rank(candidates, { place: hangzhou, ...change });
}

/** As clients get it. */
function ranking(given: readonly Shape[], roundTripsMs: Record<string, number> = {}) {
  return rankShapes(given, { roundTripsMs }).map((one) => explain(one, { place: hangzhou }));
}

test("no ineligible region is ever ahead of an eligible one, and each says why", () => {
  fc.assert(
    fc.property(shapes, (given) => {
      const answer = ranking(given);
      assert.equal(answer.length, given.length);
      const open = new Set<string>(given.filter(isOpen).map((shape) => shape.id));
      const flags = answer.map(({ eligible }) => eligible);
      assert.deepEqual(
        flags,
        [...flags].sort((a, b) => Number(b) - Number(a)),
      );
      for (const { regionId, eligible, score, reasons } of answer) {
        assert.equal(eligible, open.has(regionId));
        assert.equal(score !== null, eligible);
        assert.ok(reasons.length > 0);
      }
    }),
  );
});

test("the order does not depend on the order of the topology", () => {
  fc.assert(
    fc.property(shapes, (given) => {
      assert.deepEqual(ranking([...given].reverse()), ranking(given));
    }),
  );
});

/** Where `id` stands, 0 being the best. */
function placeOf(id: string, answer: ReturnType<typeof ranking>): number {
  return answer.findIndex(({ regionId }) => regionId === id);
}

test("a region that gets slower, fuller or busier never moves up", () => {
  const worse = fc.record({
    roundTripMs: fc.double({ min: 0, max: 500, noNaN: true }),
    connected: fc.integer({ min: 0, max: 100 }),
    busier: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(shapes, worse, fc.nat(), (given, by, pick) => {
      const chosen = given[pick % given.length];
      assert.ok(chosen);
      const before = placeOf(chosen.id, ranking(given, { [chosen.id]: 10 }));
      const slower = ranking(given, { [chosen.id]: 10 + by.roundTripMs });
      assert.ok(placeOf(chosen.id, slower) >= before, "slower");
      const loaded = given.map((shape) =>
        shape === chosen
          ? {
              ...shape,
              connected: shape.connected + by.connected,
              utilisation: Math.min(1, shape.utilisation + by.busier),
            }
          : shape,
      );
      const fuller = placeOf(chosen.id, ranking(loaded, { [chosen.id]: 10 }));
      if (isOpen(chosen)) assert.ok(fuller >= before, "fuller");
    }),
  );
});

test("a measured round trip wins over the map", () => {
  const near = { ...plain, id: "shanghai", latitude: 31.23, longitude: 121.47 };
  assert.equal(ranking([plain, near])[0]?.regionId, "shanghai");
  assert.equal(ranking([plain, near], { beijing: 5, shanghai: 60 })[0]?.regionId, "beijing");
});

test("what nobody feels does not scatter players: the nearer region wins", () => {
  const near = { ...plain, id: "shanghai", latitude: 31.23, longitude: 121.47 };
  const byName = { ...plain, id: "aachen", utilisation: 0.4, connected: 10 };
  const measured = fc.record({
    beijing: fc.double({ min: 0, max: 9, noNaN: true }),
    shanghai: fc.double({ min: 0, max: 9, noNaN: true }),
    aachen: fc.double({ min: 0, max: 9, noNaN: true }),
  });
  fc.assert(
    fc.property(measured, (roundTripsMs) => {
      assert.equal(ranking([plain, byName, near], roundTripsMs)[0]?.regionId, "shanghai");
    }),
  );
});

test("weight draws players, fullness sends them elsewhere", () => {
  const twin = { ...plain, id: "tianjin" };
  const half = { connected: 80 };
  assert.equal(ranking([{ ...plain, ...half }, twin])[0]?.regionId, "tianjin");
  const heavy = { ...plain, ...half, weight: 4 };
  assert.equal(ranking([heavy, { ...twin, ...half }])[0]?.regionId, "beijing");
});

test("a player stays where they were while no score changes by half of what that is worth", () => {
  const twins = [plain, { ...plain, id: "tianjin" }, { ...plain, id: "wuhan" }];
  const ids = twins.map(({ id }) => RegionId.parse(id));
  const wayMs = fc.double({ min: 0, max: 300, noNaN: true });
  const nudgeMs = fc.double({ min: -HOME_MS / 2 + 0.01, max: HOME_MS / 2 - 0.01, noNaN: true });
  const ways = fc.array(fc.tuple(wayMs, nudgeMs), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(ways, (given) => {
      const at = (pick: (way: [number, number]) => number) =>
        Object.fromEntries(given.map((way, index) => [ids[index], Math.max(0, pick(way))]));
      const home = rankShapes(twins, { roundTripsMs: at(([ms]) => ms) })[0]?.candidate.regionId;
      const roundTripsMs = at(([ms, nudge]) => ms + nudge);
      assert.equal(rankShapes(twins, { roundTripsMs, home })[0]?.candidate.regionId, home);
    }),
  );
});

test("a player stays while load changes what it costs by less than half of what home is worth", () => {
  const twins = [plain, { ...plain, id: "tianjin" }, { ...plain, id: "wuhan" }];
  const load = fc.record({
    connected: fc.integer({ min: 0, max: 99 }),
    utilisation: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  const loads = fc.array(fc.tuple(load, load), { minLength: 3, maxLength: 3 });
  const costMs = ({ connected, utilisation }: { connected: number; utilisation: number }) =>
    loadPenaltyMs({ fullness: connected / plain.capacity, utilisation });
  fc.assert(
    fc.property(loads, (given) => {
      fc.pre(given.every(([a, b]) => Math.abs(costMs(a) - costMs(b)) < HOME_MS / 2));
      const at = (when: 0 | 1) =>
        twins.map((twin, index) => ({ ...twin, ...given[index]?.[when] }));
      const home = rankShapes(at(0))[0]?.candidate.regionId;
      assert.equal(rankShapes(at(1), { home })[0]?.candidate.regionId, home);
    }),
  );
});

test("no wish of the player's makes a region eligible that takes nobody", () => {
  fc.assert(
    fc.property(shapes, fc.nat(), (given, pick) => {
      const id = RegionId.parse(given[pick % given.length]?.id);
      const roundTripsMs = { [id]: 0 };
      const ranked = rankShapes(given, { home: id, friendsIn: new Set([id]), roundTripsMs });
      const open = new Set<string>(given.filter(isOpen).map((shape) => shape.id));
      assert.deepEqual(
        ranked.slice(0, open.size).map(({ candidate }) => open.has(candidate.regionId)),
        [...open].map(() => true),
      );
    }),
  );
});

test("with all regions fenced there is none, and each says so", () => {
  const fenced = [plain, { ...plain, id: "tianjin" }].map((shape) => ({
    ...shape,
    wanted: "fenced" as const,
  }));
  const ranked = rankShapes(fenced);
  assert.ok(ranked.every((one) => !one.eligible));
  for (const one of ranked) assert.match(verdict(one, ranked[0], { place: hangzhou }), /^fenced/);
});

test("friends draw, but not past what they are worth", () => {
  const twin = { ...plain, id: "tianjin" };
  const friendsIn = new Set([RegionId.parse("tianjin")]);
  const first = (beijing: number, tianjin: number) =>
    rankShapes([plain, twin], { roundTripsMs: { beijing, tianjin }, friendsIn })[0]?.candidate;
  assert.equal(first(30, 30 + FRIENDS_MS - 1)?.regionId, "tianjin");
  assert.equal(first(30, 30 + FRIENDS_MS + 1)?.regionId, "beijing");
});

test("a region that did not answer the client comes last of those that may take it", () => {
  const far = { ...plain, id: "lima", latitude: -12, longitude: -77 };
  const unanswered = [RegionId.parse("beijing")];
  const ranked = rankShapes([plain, far], { unanswered });
  assert.deepEqual(
    ranked.map(({ candidate }) => candidate.regionId),
    ["lima", "beijing"],
  );
  assert.ok(rankShapes([plain], { unanswered })[0]?.eligible);
});

test("a region whose nodes speak another version is no place for the client", () => {
  const obstacle = (wish: Wish) => candidateOf(regionOf(plain), wish).obstacle;
  assert.equal(obstacle({ game: arena, protocol: 1, build: "test" }), undefined);
  assert.equal(obstacle({ game: arena, protocol: 2 }), "it runs another version than the client");
  assert.equal(obstacle({ game: arena, build: "next" }), "it runs another version than the client");
});

test("each region is told why it lost", () => {
  const near = { ...plain, id: "shanghai", latitude: 31.23, longitude: 121.47 };
  const full = { ...plain, id: "wuhan", connected: 100 };
  const ranked = rankShapes([plain, near, full]);
  assert.deepEqual(
    ranked.map((one) => verdict(one, ranked[0], { place: hangzhou })),
    ["the best", "17.5 ms behind shanghai: +17.5 ms latency", "full"],
  );
});

test("the reasons are words that an operator understands", () => {
  const reason = (change: Partial<Shape>) => ranking([{ ...plain, ...change }])[0]?.reasons[0];
  assert.equal(reason({}), "27.5 ms over 1124 km from Hangzhou");
  assert.equal(reason({ alive: false }), "down: its heartbeats stopped");
  assert.equal(reason({ wanted: "draining" }), "draining: it takes no new players");
  assert.equal(reason({ redis: "down" }), "not healthy: its Redis does not answer");
  assert.equal(reason({ games: ["chess"] }), "it does not run arena");
  assert.equal(reason({ connected: 100 }), "full");
  assert.equal(reason({ epoch: [0, 0] }), "its registration is under way");
  const only = RegionId.parse("wuhan");
  const [insisted] = rankShapes([plain], { only });
  assert.ok(insisted);
  const { reasons } = explain(insisted, { place: hangzhou, only });
  assert.equal(reasons[0], "the player insists on wuhan");
});

test("distances are right to a percent, and symmetric", () => {
  const beijing = { latitude: 39.9, longitude: 116.4 };
  const shanghai = { latitude: 31.23, longitude: 121.47 };
  const km = distanceKm(beijing, shanghai);
  assert.ok(Math.abs(km - 1_068) < 11, `${km} km`);
  assert.equal(distanceKm(shanghai, beijing), km);
  assert.equal(distanceKm(beijing, beijing), 0);
  assert.ok(roundTripOverMs(km) > 24 && roundTripOverMs(km) < 30);
});
