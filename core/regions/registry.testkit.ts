/** For tests: regions of China as the registry knows them, made by a history of events. */
import assert from "node:assert/strict";
import { RegionId } from "../../shared/ids.ts";
import { Heartbeat } from "../../shared/protocol/link.ts";
import {
  initialRegistry,
  type RegionRecord,
  type RegistryEvent,
  type RegistryState,
  registryStep,
} from "./registry-step.ts";
import { RegionSpec } from "./topology.ts";

const PLACES: Readonly<Record<string, readonly [number, number]>> = {
  beijing: [39.9, 116.4],
  tianjin: [39.13, 117.2],
  shanghai: [31.23, 121.47],
  shenzhen: [22.54, 114.06],
};

export function spec(id: string, change: Record<string, unknown> = {}): RegionSpec {
  const [latitude, longitude] = PLACES[id] ?? [0, 0];
  return RegionSpec.parse({ id, name: id, latitude, longitude, capacity: 100, ...change });
}

/** Beijing, Tianjin, Shanghai, Shenzhen. */
export const all = Object.keys(PLACES).map((id) => spec(id));

/** The first heartbeat of a node. */
export function heard(
  id: string,
  change: Record<string, unknown> = {},
  incarnation = 1,
): RegistryEvent {
  const heartbeat = Heartbeat.parse({
    regionId: id,
    nodeId: `${id}-${incarnation}`,
    sequence: 1,
    protocol: 1,
    build: "test",
    publicAddress: `${id}.test:1`,
    nodeAddress: `${id}.test:1`,
    linkAddress: `${id}-${incarnation}.test:2`,
    games: ["arena"],
    state: "active",
    capacity: 100,
    connected: 0,
    reserved: 0,
    rooms: 0,
    load: { eventLoopDelayP99Ms: 1, eventLoopUtilisation: 0, rssBytes: 1 },
    redis: "up",
    keyIds: [],
    endedRooms: [],
    ...change,
  });
  return { type: "heartbeat", from: RegionId.parse(id), heartbeat };
}

export const tick: RegistryEvent = { type: "tick" };

/** The state after these events at their times, and the effects of the last one. */
export function run(events: readonly (readonly [number, RegistryEvent])[], specs = all) {
  let state: RegistryState = initialRegistry(specs, 0);
  let effects: ReturnType<typeof registryStep>[1] = [];
  for (const [nowMs, event] of events) [state, effects] = registryStep(state, event, nowMs);
  const region = (id: string): RegionRecord => {
    const found = state.get(RegionId.parse(id));
    assert.ok(found, id);
    return found;
  };
  return { state, effects, region, regions: [...state.values()] };
}
