/**
 * Waits where it is not seats that are wanting but how many are let in a second: ten times as many come, and what is
 * told is right from the first hundred places on, also after a moment in which the region was not heard of.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayerId, RegionId, uuidV7 } from "../../shared/ids.ts";
import { CLASSES_DEFAULT, parseClasses } from "./classes.ts";
import { WaitingRooms } from "./waiting-rooms.ts";

const REGION = RegionId.parse("shanghai");
const PER_SECOND = 40;
const CAPACITY = 600;
const STAY_MS = 10_000;
const STEP_MS = 50;
const COME_MS = 60_000;
/** The goal of the bench `overload`. */
const ERROR_MEDIAN_MAX = 0.1;

test("who waits behind a limit of admissions is told how long", () => {
  let nowMs = 1_000_000;
  const rooms = new WaitingRooms(
    {
      classes: parseClasses(CLASSES_DEFAULT),
      rate: { perSecond: PER_SECOND, burst: PER_SECOND },
      waitingMax: 100_000,
      pollsPerSecondMax: 4_000,
    },
    [REGION],
    nowMs,
  );
  let playing: number[] = [];
  const report = (known: boolean) => {
    const all = CAPACITY - playing.length;
    const seats = { limited: all, all, limit: CAPACITY };
    rooms.report(known ? new Map([[REGION, seats]]) : new Map());
  };
  const told = new Map<PlayerId, { readonly atMs: number; readonly ms: number }>();
  const errors: number[] = [];
  const beganMs = nowMs;
  let come = 0;
  for (let step = 0; nowMs - beganMs < COME_MS; step += 1) {
    nowMs += STEP_MS;
    playing = playing.filter((untilMs) => untilMs > nowMs);
    if (step % 10 === 0) report(step < 400 || step > 440);
    for (; come < ((nowMs - beganMs) * 10 * PER_SECOND) / 1_000; come += 1) {
      const playerId = PlayerId.parse(uuidV7(come, Buffer.alloc(10)));
      const newcomer = { playerId, party: [], invited: [], class: "normal" };
      const where = { regionIds: [REGION], others: [], mayWait: true };
      const member = rooms.enter({ ...newcomer, ...where }, nowMs);
      assert.ok(member);
      const { eta, position } = rooms.stand(member, { dice: 0.5, heldMs: COME_MS }, nowMs);
      const isSettled = nowMs - beganMs > 25_000;
      if (isSettled && eta && (position ?? 0) >= 100)
        told.set(playerId, { atMs: nowMs, ms: eta.ms });
    }
    rooms.advance(nowMs);
    rooms.takeChanged();
    for (const { leader } of rooms.takeCalled()) {
      rooms.take(leader, nowMs);
      playing.push(nowMs + STAY_MS);
      report(true);
      rooms.seated(leader, nowMs);
    }
  }
  // Who came last waits long: theirs is when as many were let in.
  const paceMs = 1_000 / PER_SECOND;
  const waiting = [...rooms.members()].map(({ playerId }) => playerId);
  for (const [at, playerId] of waiting.entries()) {
    const was = told.get(playerId);
    if (!was) continue;
    const waitedMs = nowMs - was.atMs + (at + 1) * paceMs;
    errors.push(Math.abs(was.ms - waitedMs) / waitedMs);
  }
  errors.sort((a, b) => a - b);
  assert.ok(errors.length > 1_000, `${errors.length} were told`);
  const median = errors[errors.length >> 1] ?? 1;
  assert.ok(median <= ERROR_MEDIAN_MAX, `wrong by ${median} at the median`);
});
