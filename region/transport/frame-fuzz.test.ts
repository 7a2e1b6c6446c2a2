/**
 * Mutated client frames, straight into the parser and the room behind it, before, during and after a
 * connection's life. No frame throws, ends anything but its own connection, or leaves memory behind;
 * a player who is in the same room over a real socket notices nothing.
 *
 * TEST_SEED repeats a run; when one fails, the last frame is printed.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { systemClock } from "../../shared/clock.ts";
import { retainedBytes } from "../../shared/memory.testkit.ts";
import { Arena } from "../games/arena/arena-room.ts";
import type { ArenaState } from "../games/arena/arena-state.ts";
import { BareConnections } from "./bare-connection.testkit.ts";
import type { Connection } from "./connection.ts";
import { frameOf } from "./frame.ts";
import { mutatedFrame, recordFrames } from "./frame-fuzzer.testkit.ts";
import { TestNode } from "./test-node.ts";
import { until } from "./test-tickets.ts";

const FRAMES = cases(15_000, 10_000_000);
/** Caches fill and code is compiled before memory is compared. */
const WARM_UP_FRAMES = FRAMES / 5;
const GROWTH_BYTES_MAX = 8 * 1_024 * 1_024;
/** After so many the event loop turns, and rooms tick. */
const FRAMES_PER_TURN = 200;
const MOVE_EVERY_MS = 50;
const MS_PER_FRAME = 1_000 / 60;
const JOIN_FRAME = Uint8Array.of(10);

const seed = testSeed();
const node = new TestNode({
  games: { arena: Arena },
  created: (room) => {
    if (room instanceof Arena) room.grantEpoch([1, 1]);
  },
});
before(() => node.start());
after(() => node.stop());

let nowMs = 0;
const connections = new BareConnections(node, { ...systemClock, monotonicMs: () => nowMs });
let last: Buffer = Buffer.alloc(0);
process.on("uncaughtExceptionMonitor", () => {
  console.error(`seed ${seed}, after the frame ${last.toString("hex")}`);
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A player over a real socket, who moves all the time. */
async function honestPlayer() {
  const seat = await node.seat("arena");
  const room = await node.join<ArenaState>(seat);
  const closes: number[] = [];
  room.onLeave((code) => closes.push(code));
  let input = 0;
  let movedMs = 0;
  return {
    /** As often as a client does. */
    move() {
      if (performance.now() - movedMs < MOVE_EVERY_MS) return;
      movedMs = performance.now();
      input += 1;
      room.send("move", { input, x: Math.cos(input), y: Math.sin(input) });
    },
    /** The last input is in the state, which is the room's own. */
    async check() {
      assert.deepEqual(closes, []);
      const own = () => room.state.players.get(room.sessionId);
      await until(() => own()?.lastInput === input, "the honest player's input");
      const theirs = node.rooms.find(seat.answer.roomId)?.state as ArenaState;
      const ids = (state: ArenaState) => [...state.players.keys()].sort().join();
      await until(() => ids(room.state) === ids(theirs), "the honest player's state");
    },
    leave: () => room.leave(),
  };
}

async function put(connection: Connection, frame: Buffer, chance: Chance): Promise<void> {
  last = frame;
  const data = new Uint8Array(frame).buffer;
  // As the room is joined anew after each end, most of what the parser refuses stops here.
  if (frameOf(data) === undefined && !chance.once(20)) return;
  connection.received(data, !chance.once(200));
}

test(`${FRAMES} mutated frames harm nobody`, { timeout: 3_600_000 }, async (t) => {
  const chance = new Chance(seed);
  const printed = t.mock.method(console, "error", () => undefined);
  const recorded = await recordFrames(await node.join(await node.seat("arena")));
  assert.ok(recorded.length > 12, `${recorded.length} frames were recorded`);
  const honest = await honestPlayer();
  let connection = await connections.enter("arena");
  let joins = 1;
  let warmBytes = 0;
  const beganMs = performance.now();
  for (let count = 1; count <= FRAMES; count += 1) {
    if (connection.readyState !== 1 && !chance.once(4)) {
      connection = await connections.enter("arena");
      joins += 1;
      if (!chance.once(3)) connection.received(JOIN_FRAME.slice().buffer, true);
    }
    nowMs += MS_PER_FRAME;
    await put(connection, mutatedFrame(recorded, chance), chance);
    if (count % FRAMES_PER_TURN === 0) {
      honest.move();
      await turn();
    }
    if (count === WARM_UP_FRAMES) warmBytes = await retainedBytes();
  }
  const ms = performance.now() - beganMs;
  connection.close();
  await honest.check();
  const grownBytes = (await retainedBytes()) - warmBytes;
  t.diagnostic(`seed ${seed}: ${Math.round((FRAMES / ms) * 1_000)} frames/s, ${joins} joins`);
  t.diagnostic(`memory ${(warmBytes / 2 ** 20).toFixed(1)} MiB, grown ${grownBytes} bytes`);
  assert.ok(grownBytes < GROWTH_BYTES_MAX, `${grownBytes} bytes more are held`);
  assert.deepEqual(
    node.failures.map(({ method, error }) => `${method}: ${error}`),
    [],
  );
  assert.equal(printed.mock.callCount(), 0, "a decoder wrote to the console");
  await honest.leave();
  await until(() => node.rooms.count === 0, "the room's end");
  assert.deepEqual(node.ledger.counts(performance.now()), { connected: 0, reserved: 0 });
});
