import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as breath } from "node:timers/promises";
import { systemClock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { NodeId, PlayerId, RoomId } from "../../shared/ids.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { Arrivals } from "./arrivals.ts";
import { FREE_LANE, nextSlot } from "./arrivals-step.ts";

const SHANGHAI = NodeId.parse("shanghai-1");
const player = (n: number) =>
  PlayerId.parse(`01890000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`);

test("5,000 who ask in one moment come evenly: no tenth of a second has twice the mean", () => {
  const buckets = new Map<number, number>();
  let lane = FREE_LANE;
  let seed = 7;
  for (let n = 0; n < 5_000; n += 1) {
    seed = (seed * 16_807) % 2_147_483_647;
    const pace = { perSecond: 500, random: seed / 2_147_483_647 };
    const [next, atMs] = nextSlot(lane, 1_000, pace);
    lane = next;
    buckets.set(Math.floor(atMs / 100), (buckets.get(Math.floor(atMs / 100)) ?? 0) + 1);
  }
  assert.equal(buckets.size, 100, "ten seconds");
  assert.ok(Math.max(...buckets.values()) <= 60);
});

test("an idle node is entered at once", () => {
  const pace = { perSecond: 500, random: 0 };
  const [lane, atMs] = nextSlot({ freeMs: 10 }, 99, pace);
  assert.deepEqual([atMs, lane.freeMs], [99, 101]);
});

test("a slot past the caller's patience is told, kept, and there when the time has come", async () => {
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const metrics = createMetrics({ process: "core" });
  const arrivals = new Arrivals({ perSecond: 1, random: () => 0, clock, metrics });
  const roomId = RoomId.parse("room-a");
  assert.equal(arrivals.paces(roomId), false);
  arrivals.roomMoved(roomId);
  assert.ok(arrivals.paces(roomId));
  await arrivals.turn(player(1), SHANGHAI, 500);
  const late = () => arrivals.turn(player(2), SHANGHAI, nowMs + 500);
  const isTold = (retryAfterMs: number) => (error: unknown) =>
    isFailure(error, "unavailable") && error.retryAfterMs === retryAfterMs;
  await assert.rejects(late(), isTold(1_000));
  nowMs = 300;
  await assert.rejects(late(), isTold(700), "the same slot");
  nowMs = 1_000;
  await late();
  await arrivals.turn(player(3), NodeId.parse("shenzhen-1"), 1_000);
});

test("who was held up behind their turn is let go at nearly the pace, or at the end of the call", async () => {
  const clock = new FakeClock();
  const metrics = createMetrics({ process: "core" });
  const arrivals = new Arrivals({ perSecond: 100, random: () => 0, clock, metrics });
  const gone: number[] = [];
  const letGo = (endsAtMs: number) =>
    arrivals.door(SHANGHAI, endsAtMs).then(() => gone.push(clock.monotonicMs()));
  const all = Array.from({ length: 60 }, () => letGo(1_000));
  const impatient = letGo(100).then(() => clock.monotonicMs());
  await breath();
  for (let ms = 0; ms < 600; ms += 5) {
    clock.advance(5);
    await breath();
  }
  await Promise.all(all);
  assert.ok((await impatient) <= 105);
  for (const from of [0, 100, 200, 300, 400]) {
    const within = gone.filter((ms) => ms >= from && ms < from + 100).length;
    assert.ok(within >= 9 && within <= 14, `${within} within 100 ms`);
  }
});
