/** A mover among nodes that answer as they are told to, on a clock that is moved: who goes on with a room, and when not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { MeridianError } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import { BAD_COPY, NO_SEATS, RoomCopy } from "../../shared/protocol/failover.ts";
import { heard, run } from "../regions/registry.testkit.ts";
import type { NodeHealth } from "./detector-step.ts";
import { type Moved, Mover, PATIENCE_MS } from "./mover.ts";
import { PromisedSeats } from "./promised-seats.ts";

const DEAD = NodeId.parse("beijing-1");
const roomId = RoomId.parse("room-a");
const roomEpoch: [number, number] = [1, 1];
const replication = { protectedRooms: 0, unprotectedRooms: 0, copies: 0, lagMs: 0 };

interface Told {
  /** Who has a copy, and its tick. */
  readonly copies: Record<string, number>;
  readonly health?: Record<string, NodeHealth>;
  /** Nodes that answer no question for copies. */
  readonly mute?: readonly string[];
  /** When a node is lost, ms. */
  readonly lostMs?: Record<string, number>;
  /** What a node says when it is to go on with the room: `taken`, `silent`, or why not. */
  readonly runs: (nodeId: string) => string;
}

/** @returns what came of the room, and what was asked of whom */
async function move({ copies, health = {}, mute = [], lostMs = {}, runs }: Told) {
  const clock = new FakeClock();
  const regions = ["tianjin", "shanghai", "shenzhen"];
  const { regions: records } = run([
    ...regions.map((id) => [0, heard(id, { replication })] as const),
    ...Object.entries(health).map(
      ([id, value]) =>
        [
          1,
          {
            type: "health",
            regionId: RegionId.parse(id),
            nodeId: NodeId.parse(`${id}-1`),
            health: value,
          },
        ] as const,
    ),
  ]);
  const held = new Map(Object.entries(copies));
  const asked: string[] = [];
  const silence = () => new MeridianError("timeout");
  const mover = new Mover(DEAD, [{ roomId, roomEpoch }], {
    regions: () => records,
    isLost: (nodeId) => clock.monotonicMs() >= (lostMs[nodeId] ?? Number.POSITIVE_INFINITY),
    node: (nodeId) => records.flatMap(({ nodes }) => nodes.get(nodeId) ?? [])[0],
    heardAll: () => true,
    calls: {
      async copies({ nodeId }) {
        if (mute.includes(nodeId)) throw silence();
        const tick = held.get(nodeId);
        if (tick === undefined) return { copies: [] };
        const about = { game: "arena", ofNode: DEAD, roomEpoch, players: 3 };
        return { copies: [RoomCopy.parse({ ...about, roomId, tick })] };
      },
      async passCopies(holder, { to }) {
        asked.push(`${holder.nodeId} passes to ${to.nodeId}`);
        held.set(to.nodeId, held.get(holder.nodeId) ?? 0);
        return { passed: [roomId], failed: [] };
      },
      async takeOver({ nodeId }) {
        asked.push(nodeId);
        const said = runs(nodeId);
        if (said === "silent") throw silence();
        if (said !== "taken") return { taken: [], failed: [{ roomId, why: said }] };
        mover.claimed(roomId);
        return { taken: [{ roomId, players: 3, tick: 1 }], failed: [] };
      },
    },
    promised: new PromisedSeats(clock),
    patienceMs: PATIENCE_MS,
    giveUp: async (roomIds) => roomIds,
    onFailed: () => {},
    clock,
    signal: new AbortController().signal,
  });
  let moved: Moved | undefined;
  void mover.run().then((done) => {
    moved = done;
  });
  while (!moved) {
    for (let turn = 0; turn < 8; turn += 1) await setImmediate();
    clock.advance(50);
    assert.ok(clock.monotonicMs() < 60_000, "it ends");
  }
  return { moved: moved.moved, doneMs: moved.doneMs, asked };
}

test("the copy of a holder without seats is passed on to a node that has some", async () => {
  const { moved, asked } = await move({
    copies: { "shanghai-1": 5 },
    runs: (nodeId) => (nodeId === "shanghai-1" ? NO_SEATS : "taken"),
  });
  assert.deepEqual([moved, asked[0]], [1, "shanghai-1"]);
  assert.match(asked[1] ?? "", /^shanghai-1 passes to /);
});

test("a holder that answers no take-over has a good copy still", async () => {
  const { moved, asked } = await move({
    copies: { "shanghai-1": 5 },
    runs: (nodeId) => (nodeId === "shanghai-1" ? "silent" : "taken"),
  });
  assert.deepEqual([moved, asked.slice(0, 2)], [1, ["shanghai-1", "shanghai-1"]]);
  assert.match(asked[2] ?? "", /^shanghai-1 passes to /);
});

test("a copy that can't be decoded is none: the next one counts", async () => {
  const { moved, asked } = await move({
    copies: { "shanghai-1": 9, "shenzhen-1": 5 },
    runs: (nodeId) => (nodeId === "shanghai-1" ? `${BAD_COPY}: cut off` : "taken"),
  });
  assert.deepEqual([moved, asked], [1, ["shanghai-1", "shenzhen-1"]]);
});

test("without seats anywhere a room is given up at the end only; refused for good by all at once", async () => {
  const full = await move({ copies: { "shanghai-1": 5 }, runs: () => NO_SEATS });
  assert.equal(full.moved, 0);
  assert.ok(full.doneMs >= PATIENCE_MS);
  const refused = await move({ copies: { "shanghai-1": 5 }, runs: () => "its game is not here" });
  assert.equal(refused.moved, 0);
  assert.ok(refused.doneMs < PATIENCE_MS / 4, "nobody could ever take it");
});

test("a room without a copy waits for whoever has not answered, until that node is lost", async () => {
  const never = { copies: {}, runs: () => "taken" };
  assert.ok((await move(never)).doneMs < 1_000, "all have answered");
  const mute = await move({ ...never, mute: ["shenzhen-1"] });
  assert.ok(mute.doneMs >= PATIENCE_MS);
  const lost = await move({
    ...never,
    mute: ["shenzhen-1"],
    health: { shenzhen: "down" },
    lostMs: { "shenzhen-1": 5_000 },
  });
  assert.ok(lost.doneMs >= 5_000 && lost.doneMs < 6_000);
});

test("the only copy, at a node that is cut off the core, is passed on to one that is not", async () => {
  const { moved, asked } = await move({
    copies: { "shanghai-1": 5 },
    health: { shanghai: "isolated" },
    runs: () => "taken",
  });
  assert.equal(moved, 1);
  assert.match(asked[0] ?? "", /^shanghai-1 passes to /);
});
