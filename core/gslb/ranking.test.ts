import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Epoch } from "../../shared/epoch.ts";
import { GameName, RegionId } from "../../shared/ids.ts";
import { Heartbeat } from "../../shared/protocol/link.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";
import { RegionSpec } from "../regions/topology.ts";
import type { Place } from "./geo-locator.ts";
import { distanceKm, roundTripOverMs } from "./great-circle.ts";
import { rankRegions } from "./ranking.ts";

const hangzhou: Place = {
  latitude: 30.27,
  longitude: 120.16,
  label: "Hangzhou",
  source: "override",
};
const arena = GameName.parse("arena");

interface Shape {
  readonly id: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly weight: number;
  readonly wanted: "active" | "draining";
  readonly epoch: Epoch;
  readonly alive: boolean;
  readonly redis: "up" | "down";
  readonly state: "active" | "draining";
  readonly games: readonly string[];
  readonly connected: number;
  readonly capacity: number;
  readonly utilisation: number;
}

const plain: Shape = {
  id: "beijing",
  latitude: 39.9,
  longitude: 116.4,
  weight: 1,
  wanted: "active",
  epoch: [1, 1],
  alive: true,
  redis: "up",
  state: "active",
  games: ["arena"],
  connected: 0,
  capacity: 100,
  utilisation: 0,
};

function regionOf(shape: Shape): RegionRecord {
  const { id, latitude, longitude, weight, wanted, epoch } = shape;
  const heartbeat = Heartbeat.parse({
    regionId: id,
    nodeId: `${id}-1`,
    sequence: 1,
    protocol: 1,
    build: "test",
    publicAddress: "a.test:1",
    nodeAddress: "a.test:1",
    linkAddress: "a.test:2",
    games: shape.games,
    state: shape.state,
    capacity: shape.capacity,
    connected: shape.connected,
    reserved: 0,
    rooms: 0,
    load: { eventLoopDelayP99Ms: 0, eventLoopUtilisation: shape.utilisation, rssBytes: 1 },
    redis: shape.redis,
    keyIds: [],
    endedRooms: [],
  });
  const node: NodeRecord = {
    nodeId: heartbeat.nodeId,
    incarnation: 1,
    heartbeat,
    receivedMs: 0,
    alive: shape.alive,
    seatsSince: 0,
  };
  const spec = RegionSpec.parse({ id, name: id, latitude, longitude, weight, capacity: 100 });
  const nodes = new Map([[node.nodeId, node]]);
  return { spec, epoch, wanted, nodes, unheardUntilMs: undefined };
}

function isOpen(shape: Shape): boolean {
  return (
    shape.alive &&
    shape.wanted === "active" &&
    shape.state === "active" &&
    shape.redis === "up" &&
    shape.games.includes("arena") &&
    shape.connected < shape.capacity
  );
}

const shapes = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[a-z]{1,6}$/),
    latitude: fc.double({ min: -90, max: 90, noNaN: true }),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    weight: fc.double({ min: 0.1, max: 10, noNaN: true }),
    wanted: fc.constantFrom("active", "draining"),
    epoch: fc.constant<Epoch>([1, 1]),
    alive: fc.boolean(),
    redis: fc.constantFrom("up", "down"),
    state: fc.constantFrom("active", "draining"),
    games: fc.constantFrom(["arena"], ["chess"], []),
    connected: fc.integer({ min: 0, max: 120 }),
    capacity: fc.integer({ min: 0, max: 100 }),
    utilisation: fc.double({ min: 0, max: 1, noNaN: true }),
  }) satisfies fc.Arbitrary<Shape>,
  { selector: (shape) => shape.id, minLength: 1, maxLength: 12 },
);

function rank(given: readonly Shape[], roundTripsMs: Record<string, number> = {}) {
  const regions = given.map(regionOf);
  return rankRegions({ regions, place: hangzhou, game: arena, roundTripsMs });
}

test("no ineligible region is ever ahead of an eligible one, and each says why", () => {
  fc.assert(
    fc.property(shapes, (given) => {
      const ranking = rank(given);
      assert.equal(ranking.length, given.length);
      const open = new Set<string>(given.filter(isOpen).map((shape) => shape.id));
      const flags = ranking.map(({ eligible }) => eligible);
      assert.deepEqual(
        flags,
        [...flags].sort((a, b) => Number(b) - Number(a)),
      );
      for (const { regionId, eligible, score, reasons } of ranking) {
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
      assert.deepEqual(rank([...given].reverse()), rank(given));
    }),
  );
});

/** Where `id` stands, 0 being the best. */
function placeOf(id: string, ranking: ReturnType<typeof rank>): number {
  return ranking.findIndex(({ regionId }) => regionId === id);
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
      const before = placeOf(chosen.id, rank(given, { [chosen.id]: 10 }));
      const slower = rank(given, { [chosen.id]: 10 + by.roundTripMs });
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
      const fuller = placeOf(chosen.id, rank(loaded, { [chosen.id]: 10 }));
      if (isOpen(chosen)) assert.ok(fuller >= before, "fuller");
    }),
  );
});

test("a measured round trip wins over the map", () => {
  const near = { ...plain, id: "shanghai", latitude: 31.23, longitude: 121.47 };
  assert.equal(rank([plain, near])[0]?.regionId, "shanghai");
  assert.equal(rank([plain, near], { beijing: 5, shanghai: 60 })[0]?.regionId, "beijing");
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
      assert.equal(rank([plain, byName, near], roundTripsMs)[0]?.regionId, "shanghai");
    }),
  );
});

test("weight draws players, fullness sends them elsewhere", () => {
  const twin = { ...plain, id: "tianjin" };
  const half = { connected: 80 };
  assert.equal(rank([{ ...plain, ...half }, twin])[0]?.regionId, "tianjin");
  const heavy = { ...plain, ...half, weight: 4 };
  assert.equal(rank([heavy, { ...twin, ...half }])[0]?.regionId, "beijing");
});

test("the reasons are words that an operator understands", () => {
  const only = RegionId.parse("wuhan");
  const reason = (change: Partial<Shape>) => rank([{ ...plain, ...change }])[0]?.reasons[0];
  assert.equal(reason({}), "27.5 ms over 1124 km from Hangzhou");
  assert.equal(reason({ alive: false }), "down: its heartbeats stopped");
  assert.equal(reason({ wanted: "draining" }), "draining: it takes no new players");
  assert.equal(reason({ redis: "down" }), "not healthy: its Redis does not answer");
  assert.equal(reason({ games: ["chess"] }), "it does not run arena");
  assert.equal(reason({ connected: 100 }), "full");
  assert.equal(reason({ epoch: [0, 0] }), "its registration is under way");
  const insisted = rankRegions({ regions: [regionOf(plain)], place: hangzhou, only });
  assert.equal(insisted[0]?.reasons[0], "the player insists on wuhan");
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
