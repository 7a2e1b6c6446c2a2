/** For tests: regions of all kinds, as the registry knows them. */
import fc from "fast-check";
import type { Epoch } from "../../shared/epoch.ts";
import { GameName } from "../../shared/ids.ts";
import { Heartbeat } from "../../shared/protocol/link.ts";
import { OverloadLevel, reaches } from "../../shared/protocol/overload.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";
import { RegionSpec } from "../regions/topology.ts";
import type { Place } from "./geo-locator.ts";

export const hangzhou: Place = {
  latitude: 30.27,
  longitude: 120.16,
  label: "Hangzhou",
  source: "override",
};
export const arena = GameName.parse("arena");

export interface Shape {
  readonly id: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly weight: number;
  readonly wanted: "active" | "draining" | "fenced";
  readonly epoch: Epoch;
  readonly alive: boolean;
  readonly redis: "up" | "down";
  readonly state: "active" | "draining";
  readonly overload: OverloadLevel;
  readonly games: readonly string[];
  readonly connected: number;
  readonly capacity: number;
  readonly utilisation: number;
}

export const plain: Shape = {
  id: "beijing",
  latitude: 39.9,
  longitude: 116.4,
  weight: 1,
  wanted: "active",
  epoch: [1, 1],
  alive: true,
  redis: "up",
  state: "active",
  overload: "calm",
  games: ["arena"],
  connected: 0,
  capacity: 100,
  utilisation: 0,
};

/** A region of one node. */
export function regionOf(shape: Shape): RegionRecord {
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
    overload: shape.overload,
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
    health: "healthy",
    seatsSince: 0,
    lastGrant: 0,
  };
  const spec = RegionSpec.parse({ id, name: id, latitude, longitude, weight, capacity: 100 });
  const nodes = new Map([[node.nodeId, node]]);
  return { spec, epoch, wanted, nodes, unheardUntilMs: undefined };
}

/** Whether it takes players of `arena`. */
export function isOpen(shape: Shape): boolean {
  return (
    shape.alive &&
    shape.wanted === "active" &&
    shape.state === "active" &&
    shape.redis === "up" &&
    !reaches(shape.overload, "no_seats") &&
    shape.games.includes("arena") &&
    shape.connected < shape.capacity
  );
}

export const shapes = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[a-z]{1,6}$/),
    latitude: fc.double({ min: -90, max: 90, noNaN: true }),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    weight: fc.double({ min: 0.1, max: 10, noNaN: true }),
    wanted: fc.constantFrom("active", "draining", "fenced"),
    epoch: fc.constant<Epoch>([1, 1]),
    alive: fc.boolean(),
    health: fc.constant("healthy" as const),
    redis: fc.constantFrom("up", "down"),
    state: fc.constantFrom("active", "draining"),
    overload: fc.constantFrom(...OverloadLevel.options),
    games: fc.constantFrom(["arena"], ["chess"], []),
    connected: fc.integer({ min: 0, max: 120 }),
    capacity: fc.integer({ min: 0, max: 100 }),
    utilisation: fc.double({ min: 0, max: 1, noNaN: true }),
  }) satisfies fc.Arbitrary<Shape>,
  { selector: (shape) => shape.id, minLength: 1, maxLength: 12 },
);
