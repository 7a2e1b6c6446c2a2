import assert from "node:assert/strict";
import { test } from "node:test";
import { costOf } from "./cost.ts";
import { costSection } from "./cost-section.ts";
import type { StoredRuns } from "./stored-runs.ts";

const ran = (figures: Record<string, unknown>) => ({
  date: "2026-11-29",
  commit: "0123456",
  withChanges: false,
  machine: { cpu: "any", cores: 2, memoryGib: 4, kernel: "Linux 6.1", node: "22.18.0" },
  quick: false,
  tookS: 1,
  figures,
});

const runs = {
  rooms: ran({
    cpuPerPlayerUs: { meridian: 400 },
    rssPerPlayerKb: 20.48,
    bytesPerPlayerPerS: 22_000,
  }),
  idle: ran({ rssBeforeMb: 150 }),
  replication: ran({ cpuRatio: 1.1, rssPerRoomKb: 512, bytesPerRoomPerS: 40_000 }),
  sync: ran({ bytesPerChange: 160, cpuPerRowUs: { region: 40, core: 25, postgres: 30, redis: 5 } }),
  ledger: ran({ callers: { "64": { cpuMs: { callers: 0.42, core: 0.54, postgres: 0.3 } } } }),
  join: ran({ meridianCpuPerJoinMs: { region: 0.9, core: 1.8, postgres: 0.8, redis: 0.1 } }),
  queue: ran({ megabytesBefore: 140 }),
} as StoredRuns;

/** Figures are sums of fractions. */
function assertNear(value: number | undefined, expected: number, what: string): void {
  assert.ok(
    Math.abs((value ?? Number.NaN) - expected) < 1e-9,
    `${what}: ${value}, not ${expected}`,
  );
}

test("what 1,000 players cost, copies and their share of core and databases included", () => {
  const { lines, total, missing } = costOf(runs);
  assert.deepEqual(missing, []);
  const rooms = lines.find(({ from }) => from === "rooms");
  assertNear(rooms?.cores?.region, 0.4, "400 µs a second for each of 1,000");
  assertNear(rooms?.memoryMb, 20, "20.48 KB each");
  assertNear(rooms?.egressMbitPerS, 176, "22 MB a second");
  const copies = lines.find(({ from }) => from === "replication");
  assertNear(copies?.cores?.region, 0.04, "a tenth more than the rooms");
  assertNear(copies?.memoryMb, 10, "20 rooms of half a MB");
  assertNear(copies?.egressMbitPerS, 6.4, "20 rooms of 40 KB a second");
  const documents = lines.find(({ from }) => from === "sync");
  assertNear(documents?.cores?.core, 0.025, "1,000 rows of 25 µs a second");
  assertNear(documents?.cores?.databases, 0.035, "1,000 rows of 30 and 5 µs a second");
  assertNear(documents?.egressMbitPerS, 1.28, "1,000 rows of 160 bytes a second");
  const money = lines.find(({ from }) => from === "ledger");
  assertNear(money?.cores?.core, 0.009, "16.7 operations a second");
  const joins = lines.find(({ from }) => from === "join");
  assertNear(joins?.cores?.core, 0.001, "1,000 joins in half an hour");
  assertNear(total.memoryMb, 20 + 150 + 10 + 140, "memory");
  assertNear(
    total.egressMbitPerS,
    176 + 11.84 + 6.4 + 1.28,
    "egress, with the heads of 20,000 packets",
  );
  assertNear(total.cores.region, 0.4 + 0.04 + 0.04 + 0.007 + 0.0005, "the regions' processors");
});

test("what was not measured is named as missing, and nothing is summed up without the rooms", () => {
  const { queue: _queue, replication: _replication, ...some } = runs;
  const cost = costOf(some as StoredRuns);
  assert.deepEqual(cost.missing, ["replication", "queue"]);
  assert.match(costSection(cost), /\*\*Not in it\*\*.*`replication`, `queue`/);
  const { rooms: _rooms, ...others } = runs;
  assert.match(costSection(costOf(others as StoredRuns)), /Not known before `rooms` is measured/);
});

test("the section says the sum in its first words", () => {
  assert.match(costSection(costOf(runs)), /\*\*0\.\d{3} processors, 320 MB, 196 Mbit\/s out\*\*/);
});

test("a run that lacks what is needed is an error that names both", () => {
  const without = { ...runs, idle: ran({ players: 5 }) } as StoredRuns;
  assert.throws(() => costOf(without), /"rssBeforeMb" of "idle"/);
});
