/** Evacuations, step by step: under seeded failures every room is counted once, and the pace is kept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { Epoch } from "../../shared/epoch.ts";
import { NodeId, RoomId } from "../../shared/ids.ts";
import {
  type Evacuation,
  type EvacuationEffect,
  type EvacuationEvent,
  evacuationStep,
  isOver,
  newEvacuation,
  type RoomAt,
} from "./evacuation-step.ts";

const roomEpoch = Epoch.parse([1, 1]);
const owners = ["beijing-1", "beijing-2"].map((id) => NodeId.parse(id));
const standbys = ["tianjin-1", "shanghai-1"].map((id) => NodeId.parse(id));

function roomsOf(count: number): RoomAt[] {
  return Array.from({ length: count }, (_, index) => ({
    roomId: RoomId.parse(`room-${index}`),
    nodeId: owners[index % 2] as NodeId,
  }));
}

const moves = (effects: readonly EvacuationEffect[]) =>
  effects.flatMap((effect) => (effect.type === "move" ? [...effect.roomIds] : []));

test("rooms move at the pace, in turn; a pause lets what moves arrive and nothing else go", () => {
  let state = newEvacuation(10, 0);
  let effects: EvacuationEffect[] = [];
  const step = (event: EvacuationEvent, atMs: number) => {
    [state, effects] = evacuationStep(state, event, atMs);
  };
  step({ type: "tick" }, 100);
  assert.deepEqual(effects, [{ type: "list" }]);
  const rooms = roomsOf(5).filter(({ nodeId }) => nodeId === owners[0]);
  step({ type: "listed", rooms }, 150);
  assert.deepEqual(moves(effects), ["room-0"]);
  step({ type: "tick" }, 150);
  assert.deepEqual(moves(effects), [], "no more than ten a second");
  step({ type: "order", phase: "paused" }, 160);
  const copy = { roomId: RoomId.parse("room-0"), ofNode: owners[0] as NodeId, roomEpoch };
  step({ type: "left", moved: [{ copy, to: standbys[0] as NodeId }], stayed: [], gone: [] }, 170);
  assert.deepEqual(effects, [
    { type: "takeOver", to: standbys[0], rooms: [{ copy, to: standbys[0], elsewhere: false }] },
  ]);
  step({ type: "tick" }, 900);
  assert.deepEqual(effects, []);
  step({ type: "arrived", taken: 1, players: 3, failed: [] }, 950);
  assert.deepEqual([state.moved, state.players, state.waiting.length], [1, 3, 2]);
  step({ type: "order", phase: "running" }, 960);
  assert.deepEqual(moves(effects), ["room-2", "room-4"], "both are due by then");
  step({ type: "order", phase: "stopped" }, 970);
  assert.equal(isOver(state), false, "two rooms are on their way");
});

test("what its standby can't take over goes to others, and is lost when they can't either", () => {
  let state = newEvacuation(1_000, 0);
  let effects: EvacuationEffect[] = [];
  const step = (event: EvacuationEvent, atMs: number) => {
    [state, effects] = evacuationStep(state, event, atMs);
  };
  step({ type: "tick" }, 100);
  step({ type: "listed", rooms: roomsOf(1) }, 100);
  const to = standbys[0] as NodeId;
  const copy = { roomId: RoomId.parse("room-0"), ofNode: owners[0] as NodeId, roomEpoch };
  const room = { copy, to, elsewhere: false };
  step({ type: "left", moved: [{ copy, to }], stayed: [], gone: [] }, 110);
  step({ type: "arrived", taken: 0, players: 0, failed: [{ ...room, why: "no memory" }] }, 200);
  assert.deepEqual(effects, [{ type: "goOn", rooms: [{ copy, to, elsewhere: true }] }]);
  const failed = [{ copy, to, elsewhere: true, why: "no memory" }];
  step({ type: "arrived", taken: 0, players: 0, failed }, 9_000);
  assert.deepEqual(effects[0], { type: "lost", roomId: "room-0", to, why: "no memory" });
  assert.deepEqual([state.lost, state.moved, state.failed.size], [1, 0, 0]);
});

/** A world whose nodes fail as the seed says. @returns the end, and how many rooms were asked to move by second */
function evacuate(seed: number, count: number): { state: Evacuation; perSecond: number[] } {
  const chance = new Chance(seed);
  const random = () => chance.float();
  const trouble = random() < 0.3 ? 0 : random() * 0.4;
  const open = new Map(roomsOf(count).map((room) => [room.roomId, room.nodeId]));
  const released = new Map<RoomId, NodeId>();
  const events: { atMs: number; event: () => EvacuationEvent }[] = [];
  let state = newEvacuation(20, 0);
  const perSecond: number[] = [];
  let nowMs = 0;
  const later = (event: () => EvacuationEvent) => {
    events.push({ atMs: nowMs + random() * 400, event });
  };
  const standby = () => standbys[random() < 0.5 ? 0 : 1] as NodeId;
  const give = (roomId: RoomId, nodeId: NodeId) => {
    open.delete(roomId);
    released.set(roomId, nodeId);
    return { copy: { roomId, ofNode: nodeId, roomEpoch }, to: standby() };
  };
  const carryOut = (effect: EvacuationEffect) => {
    if (effect.type === "list") {
      later(() =>
        random() < trouble
          ? { type: "listFailed" }
          : { type: "listed", rooms: [...open].map(([roomId, nodeId]) => ({ roomId, nodeId })) },
      );
    } else if (effect.type === "move") {
      const { nodeId, roomIds } = effect;
      const second = Math.floor(nowMs / 1_000);
      perSecond[second] = (perSecond[second] ?? 0) + roomIds.length;
      later(() => {
        const all = roomIds.filter((roomId) => open.has(roomId));
        const full = all.filter(() => random() < trouble);
        const held = full.map((roomId) => ({ roomId, nodeId, why: "no seats" }));
        const here = all.filter((roomId) => !full.includes(roomId));
        const stays = here.filter(() => random() < trouble);
        const moved = here
          .filter((roomId) => !stays.includes(roomId))
          .map((roomId) => give(roomId, nodeId));
        // It was done, and the answer is lost.
        if (random() < trouble) return { type: "unsure", nodeId, roomIds };
        const ended = roomIds.filter((roomId) => !all.includes(roomId));
        const stayed = [...stays, ...ended].map((roomId) => ({ roomId, nodeId, why: "no copy" }));
        return { type: "left", moved, stayed, held, gone: [] };
      });
    } else if (effect.type === "settle") {
      const { nodeId, roomIds } = effect;
      later(() => {
        if (random() < trouble) return { type: "unsure", nodeId, roomIds };
        const missing = roomIds.filter((id) => released.has(id) && random() < trouble);
        const moved = roomIds
          .filter((roomId) => released.has(roomId) && !missing.includes(roomId))
          .map((roomId) => ({ copy: { roomId, ofNode: nodeId, roomEpoch }, to: standby() }));
        const here = roomIds.filter((roomId) => open.has(roomId));
        const gone = roomIds.filter((roomId) => !open.has(roomId) && !released.has(roomId));
        const stayed = here.map((roomId) => ({ roomId, nodeId, why: "no answer" }));
        const unsure = missing.length > 0 ? { unsure: { nodeId, roomIds: missing } } : {};
        return { type: "left", moved, stayed, gone, ...unsure };
      });
    } else if (effect.type === "takeOver" || effect.type === "goOn") {
      later(() => {
        const failed = effect.rooms.filter(() => random() < trouble);
        const taken = effect.rooms.filter((room) => !failed.includes(room));
        for (const { copy } of taken) released.delete(copy.roomId);
        const why = "out of seats";
        return {
          type: "arrived",
          taken: taken.length,
          players: taken.length * 2,
          failed: failed.map((room) => ({ ...room, why })),
        };
      });
    }
  };
  const dispatch = (event: EvacuationEvent) => {
    const [next, effects] = evacuationStep(state, event, nowMs);
    state = next;
    effects.forEach(carryOut);
  };
  while (!isOver(state)) {
    nowMs += 100;
    assert.ok(nowMs < 600_000, `seed ${seed}: it never ends`);
    // A room ends by itself now and then.
    const [first] = open.keys();
    if (first !== undefined && random() < 0.02) open.delete(first);
    const due = events.filter(({ atMs }) => atMs <= nowMs);
    for (const one of due) events.splice(events.indexOf(one), 1);
    for (const { event } of due) dispatch(event());
    dispatch({ type: "tick" });
  }
  assert.equal(state.moving.size + state.arrivingRooms + events.length, 0, `seed ${seed}`);
  assert.equal(open.size, state.failed.size, `seed ${seed}: rooms that run on are the failed ones`);
  assert.equal(
    released.size,
    state.lost,
    `seed ${seed}: rooms between two nodes are the lost ones`,
  );
  assert.equal(state.players, state.moved * 2, `seed ${seed}`);
  return { state, perSecond };
}

test("whatever fails, each room is moved, lost, failed or gone at the end, and the pace is kept", () => {
  const first = testSeed();
  const count = cases(200, 20_000);
  let whole = 0;
  for (let seed = first; seed < first + count; seed += 1) {
    const { state, perSecond } = evacuate(seed, 60);
    // A second's worth may have been saved up.
    for (const rooms of perSecond) assert.ok((rooms ?? 0) <= 41, `seed ${seed}: ${rooms} a second`);
    if (state.lost + state.failed.size === 0) whole += 1;
    assert.ok(state.moved + state.lost + state.failed.size <= 60, `seed ${seed}`);
  }
  assert.ok(whole > count / 6, `${whole} without a loss`);
});
