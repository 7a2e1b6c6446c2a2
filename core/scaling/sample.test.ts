import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../shared/config.ts";
import { RegionId } from "../../shared/ids.ts";
import { seatLimitsOf } from "../capacity/seat-limits.ts";
import type { CoreConfig } from "../config.ts";
import { heard, run, spec, tick } from "../regions/registry.testkit.ts";
import { sampleOf } from "./sample.ts";
import { scalingSettingsOf } from "./scaling-settings.ts";

const beijing = RegionId.parse("beijing");
const limit = {
  id: 1,
  regionId: beijing,
  playersPerNode: 40,
  build: "test",
  measuredAtMs: 0,
  hardware: "2 cores",
  serviceLevel: "joins within 1 s",
  evidence: null,
  storedAtMs: 0,
  storedBy: "ada",
};
const bounds = { min: 1, max: 8 };
const options = { headroom: "n+1" as const, bounds, waitingOf: () => 3 };

test("all who live count as load, and those that are not being emptied as nodes", () => {
  const nodes = { min: 2, max: 4 };
  const { regions } = run(
    [
      [0, heard("beijing", { connected: 10, reserved: 2 })],
      [0, heard("beijing", { connected: 5, state: "draining" }, 2)],
      [0, heard("shanghai", { connected: 1 })],
      [0, { type: "limits", limits: seatLimitsOf([limit], 0) }],
    ],
    [spec("beijing", { nodes }), spec("shanghai")],
  );
  const sample = sampleOf({ ...options, regions });
  const [first, second] = sample.regions;
  const load = { players: 17, waiting: 3, running: 1, seatsPerNode: 40 };
  assert.deepEqual(first, { regionId: beijing, bounds: nodes, leftAlone: undefined, ...load });
  assert.deepEqual([second?.bounds, second?.seatsPerNode], [bounds, 100]);
  assert.equal(sample.headroom, 0.5, "what admission keeps free");
  assert.equal(sampleOf({ ...options, regions, headroom: 0.2 }).headroom, 0.2);
});

test("what takes nobody is left alone, and so is what was not heard yet", () => {
  const one = (events: Parameters<typeof run>[0]) =>
    sampleOf({ ...options, regions: run(events, [spec("beijing")]).regions }).regions[0];
  assert.equal(one([])?.leftAlone, "it was not heard yet");
  const drain = { type: "wanted", regionId: beijing, wanted: "draining" } as const;
  const alive = [0, heard("beijing")] as const;
  assert.equal(one([alive, [0, drain]])?.leftAlone, "it is drained");
  assert.equal(one([alive, [9_000, tick]])?.leftAlone, "it is down");
  const bare = one([[9_000, tick]]);
  assert.deepEqual([bare?.leftAlone, bare?.seatsPerNode], [undefined, undefined]);
});

test("settings that contradict each other are told", () => {
  const config = { SCALING_NODES_MIN: 3, SCALING_NODES_MAX: 2 } as CoreConfig;
  assert.throws(() => scalingSettingsOf(config), ConfigError);
  const fills = { SCALING_FILL: 0.5, SCALING_CALM_FILL: 0.6 } as CoreConfig;
  assert.throws(() => scalingSettingsOf(fills), /SCALING_CALM_FILL is above SCALING_FILL/);
});
