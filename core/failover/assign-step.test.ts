/** TEST_SEED=<number> replays a run, RUNS=<number> sets how many cases are tried. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import { NodeId, RoomId } from "../../shared/ids.ts";
import { type Assigning, assign, type HeldCopy } from "./assign-step.ts";
import { together } from "./copies.ts";

const seed = Number(process.env.TEST_SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const numRuns = Number(process.env.RUNS ?? 300);
const DEAD = NodeId.parse("beijing-1");
const NODES = ["shanghai-1", "shanghai-2", "shenzhen-1", "tianjin-1"].map((id) => NodeId.parse(id));
const ROOMS = ["a", "b", "c", "d", "e"].map((id) => RoomId.parse(`room-${id}`));

function copy(room: string, holder: string, change: Partial<HeldCopy> = {}): HeldCopy {
  const roomId = RoomId.parse(room);
  const named = { roomId, ofNode: DEAD, holder: NodeId.parse(holder), roomEpoch: [1, 1] as Epoch };
  return { ...named, game: "arena" as HeldCopy["game"], tick: 10, players: 5, ...change };
}

function roomsOf(ids: readonly RoomId[], roomEpoch: Epoch = [1, 1]) {
  return [...new Set(ids)].map((roomId) => ({ roomId, roomEpoch }));
}

function assigned(change: Partial<Assigning>, seats: Record<string, number>) {
  const left = new Map(Object.entries(seats).map(([id, free]) => [NodeId.parse(id), free]));
  const copies = change.copies ?? [];
  const never = () => false;
  const { placements, without, crowded } = assign({
    rooms: roomsOf(copies.map(({ roomId }) => roomId)),
    copies,
    seats: left,
    cannotRun: never,
    badCopy: never,
    together,
    ...change,
  });
  const places = placements.map(({ copy: { roomId, holder }, to }) => [roomId, holder, to]);
  return { places, without, crowded };
}

test("copies of the last owner count, of them that of the later tick, and it stays where it is", () => {
  const copies = [
    copy("room-a", "shanghai-1", { tick: 900 }),
    copy("room-a", "shenzhen-1", { roomEpoch: [1, 2], tick: 3 }),
    copy("room-a", "tianjin-1", { roomEpoch: [999, 1], tick: 1_000 }),
    copy("room-b", "shanghai-1", { roomEpoch: [1, 2], tick: 11 }),
    copy("room-b", "shenzhen-1", { roomEpoch: [1, 2], tick: 12 }),
    copy("room-c", "shanghai-1"),
    copy("room-c", "shenzhen-1", { roomEpoch: [1, 3] }),
  ];
  const rooms = roomsOf(ROOMS.slice(0, 3), [1, 2]);
  const seats = { "shanghai-1": 100, "shenzhen-1": 100, "tianjin-1": 100 };
  const { places, without } = assigned({ copies, rooms }, seats);
  assert.deepEqual(places, [
    ["room-a", "shenzhen-1", "shenzhen-1"],
    ["room-b", "shenzhen-1", "shenzhen-1"],
  ]);
  assert.deepEqual(without, ["room-c"], "of an earlier owner, and of one that never was");
});

test("a holder that can't run the room has a copy for others; a bad copy is none", () => {
  const copies = [copy("room-a", "shanghai-1"), copy("room-b", "shanghai-1")];
  const { places, without } = assigned(
    {
      copies,
      cannotRun: (_, nodeId) => nodeId === "shanghai-1",
      badCopy: (roomId, holder) => roomId === "room-b" && holder === "shanghai-1",
    },
    { "shanghai-1": 100, "shenzhen-1": 50 },
  );
  assert.deepEqual([places, without], [[["room-a", "shanghai-1", "shenzhen-1"]], ["room-b"]]);
});

test("a room without seats at its holder goes on to the freest sibling, else to the freest of all", () => {
  const copies = [copy("room-a", "shanghai-1"), copy("room-b", "tianjin-1")];
  const { places } = assigned(
    { copies },
    { "shanghai-1": 4, "shanghai-2": 6, "shenzhen-1": 90, "tianjin-1": 0 },
  );
  assert.deepEqual(places, [
    ["room-a", "shanghai-1", "shanghai-2"],
    ["room-b", "tianjin-1", "shenzhen-1"],
  ]);
});

test("rooms stay whole; those without a copy or without seats are told apart", () => {
  const copies = [copy("room-a", "shanghai-1", { players: 9 })];
  const rooms = roomsOf(ROOMS.slice(0, 2));
  const { places, without, crowded } = assigned(
    { copies, rooms },
    { "shanghai-1": 8, "shanghai-2": 8 },
  );
  assert.deepEqual([places, without, crowded], [[], ["room-b"], ["room-a"]]);
});

test(`every room at most once, where seats are, by its freshest copy (TEST_SEED=${seed})`, () => {
  const copies = fc.array(
    fc.record({
      roomId: fc.constantFrom(...ROOMS),
      game: fc.constant("arena" as HeldCopy["game"]),
      ofNode: fc.constant(DEAD),
      roomEpoch: fc.integer({ min: 1, max: 3 }).map((n): Epoch => [1, n]),
      tick: fc.integer({ min: 0, max: 5 }),
      players: fc.integer({ min: 0, max: 6 }),
      holder: fc.constantFrom(...NODES),
    }),
    { maxLength: 16 },
  );
  const seats = fc.array(fc.tuple(fc.constantFrom(...NODES), fc.integer({ min: 0, max: 12 })));
  const failures = fc.array(fc.tuple(fc.constantFrom(...ROOMS), fc.constantFrom(...NODES)));
  const property = fc.property(copies, seats, failures, failures, (held, free, unable, bad) => {
    const among = (pairs: typeof unable) => (roomId: RoomId, nodeId: NodeId) =>
      pairs.some(([room, node]) => room === roomId && node === nodeId);
    const [cannotRun, badCopy] = [among(unable), among(bad)];
    const left = new Map(free);
    const rooms = roomsOf(ROOMS, [1, 2]);
    const assigning = { rooms, copies: held, seats: left, cannotRun, badCopy, together };
    const { placements, without, crowded } = assign(assigning);
    const named = [...placements.map((one) => one.copy.roomId), ...without, ...crowded];
    assert.deepEqual(named.toSorted(), ROOMS, "each room once");
    const taken = new Map<NodeId, number>();
    const isGood = ({ roomId, holder, roomEpoch }: HeldCopy) =>
      compareEpochs(roomEpoch, [1, 2]) === 0 && !badCopy(roomId, holder);
    for (const { copy: one, to } of placements) {
      assert.ok(left.has(to) && !cannotRun(one.roomId, to) && !badCopy(one.roomId, one.holder));
      assert.deepEqual(one.roomEpoch, [1, 2]);
      taken.set(to, (taken.get(to) ?? 0) + one.players);
      const fresher = held.find((other) => {
        return other.roomId === one.roomId && isGood(other) && other.tick > one.tick;
      });
      assert.equal(fresher, undefined);
    }
    for (const [to, players] of taken) assert.ok(players <= (left.get(to) ?? 0), "seats");
    for (const roomId of without) {
      assert.ok(!held.some((one) => one.roomId === roomId && isGood(one)));
    }
  });
  fc.assert(property, { seed, numRuns });
});
