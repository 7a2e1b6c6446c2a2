/** A node that goes away: rooms end in order, nothing stops before they have, and nothing is lost. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Room } from "@colyseus/core";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { TestNode } from "../transport/test-node.ts";
import { newPlayerId, until } from "../transport/test-tickets.ts";
import { drainRooms } from "./drain.ts";

let settle: (() => void)[] = [];
/** Saves what it has in `onDispose`, which takes as long as the test wants. */
class SavingRoom extends Room {
  override onDispose(): Promise<void> {
    return new Promise((resolve) => settle.push(resolve));
  }
}

const DEADLINE_MS = 1_000;
const SETTLE_MS = 10_000;
const log = createLog("region", "silent");

async function drainingNode() {
  settle = [];
  const node = new TestNode({ games: { saving: SavingRoom } });
  await node.start();
  const joined = await Promise.all(
    [1, 2, 3].map(async () => {
      const room = await node.join(await node.seat("saving"));
      room.reconnection.enabled = false;
      return { left: new Promise((resolve) => room.onLeave(resolve)) };
    }),
  );
  await node.matchmaker.reserve({
    kind: "seat",
    mode: "create",
    player: { playerId: newPlayerId(), name: "Ada", sessionEpoch: [1, 1] },
    game: (await node.reserve("saving")).game,
    options: {},
    holdMs: 60_000,
  });
  const clock = new FakeClock();
  const metrics = createMetrics({});
  const draining = { over: false };
  const done = drainRooms({
    rooms: node.rooms,
    deadlineMs: DEADLINE_MS,
    settleMs: SETTLE_MS,
    clock,
    log,
    metrics,
  }).then(() => {
    draining.over = true;
  });
  return { node, joined, clock, metrics, draining, done };
}

/** Lets the drain's polls run until something is so. */
async function advanced(clock: FakeClock, done: () => boolean, what: string): Promise<void> {
  await until(() => {
    clock.advance(20);
    return done();
  }, what);
}

test("players play on to the deadline, are sent away to come back, and every room is waited for", async () => {
  const { node, joined, clock, metrics, draining, done } = await drainingNode();
  assert.equal(node.rooms.count, 2);
  clock.advance(DEADLINE_MS - 100);
  assert.equal(node.ledger.counts(performance.now()).connected, 3);
  clock.advance(200);
  assert.deepEqual(await Promise.all(joined.map(({ left }) => left)), [1001, 1001, 1001]);
  await until(() => settle.length === 2, "both rooms' onDispose");
  clock.advance(SETTLE_MS - 500);
  assert.equal(draining.over, false, "it waits for what rooms save");
  settle.pop()?.();
  await until(() => node.rooms.count === 1, "the first room's end");
  assert.equal(draining.over, false);
  settle.pop()?.();
  await advanced(clock, () => draining.over, "the drain's end");
  await done;
  assert.equal(node.rooms.gone, true);
  assert.match(await metrics.metrics(), /meridian_region_rooms_unsettled_total 0/);
  await node.stop();
});

test("a room whose onDispose never settles is given up, counted and named", async () => {
  const { node, clock, metrics, draining } = await drainingNode();
  clock.advance(DEADLINE_MS + 100);
  await until(() => settle.length === 2, "both rooms' onDispose");
  settle.pop()?.();
  await advanced(clock, () => draining.over, "the drain's end");
  assert.match(await metrics.metrics(), /meridian_region_rooms_unsettled_total 1/);
  settle.pop()?.();
  await node.stop();
});
