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

function assigned(change: Partial<Assigning>, seats: Record<string, number>) {
  const left = new Map(Object.entries(seats).map(([id, free]) => [NodeId.parse(id), free]));
  const copies = change.copies ?? [];
  const roomIds = [...new Set(copies.map(({ roomId }) => roomId))];
  const failed = () => false;
  const { placements, without, crowded } = assign({
    roomIds,
    copies,
    seats: left,
    failed,
    together,
    ...change,
  });
  const places = placements.map(({ copy: { roomId, holder }, to }) => [roomId, holder, to]);
  return { places, without, crowded };
}

test("the copy of the later owner counts, then that of the later tick, and it stays where it is", () => {
  const copies = [
    copy("room-a", "shanghai-1", { tick: 900 }),
    copy("room-a", "shenzhen-1", { roomEpoch: [1, 2], tick: 3 }),
    copy("room-b", "shanghai-1", { tick: 11 }),
    copy("room-b", "shenzhen-1", { tick: 12 }),
  ];
  const { places } = assigned({ copies }, { "shanghai-1": 100, "shenzhen-1": 100 });
  assert.deepEqual(places, [
    ["room-a", "shenzhen-1", "shenzhen-1"],
    ["room-b", "shenzhen-1", "shenzhen-1"],
  ]);
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
  const roomIds = [RoomId.parse("room-a"), RoomId.parse("room-b")];
  const { places, without, crowded } = assigned(
    { copies, roomIds },
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
  const property = fc.property(copies, seats, failures, (held, free, failedPairs) => {
    const failed = (roomId: RoomId, nodeId: NodeId) =>
      failedPairs.some(([room, node]) => room === roomId && node === nodeId);
    const left = new Map(free);
    const assigning = { roomIds: ROOMS, copies: held, seats: left, failed, together };
    const { placements, without, crowded } = assign(assigning);
    const named = [...placements.map((one) => one.copy.roomId), ...without, ...crowded];
    assert.deepEqual(named.toSorted(), ROOMS, "each room once");
    const taken = new Map<NodeId, number>();
    for (const { copy: one, to } of placements) {
      assert.ok(left.has(to) && !failed(one.roomId, to) && !failed(one.roomId, one.holder));
      taken.set(to, (taken.get(to) ?? 0) + one.players);
      const fresher = held.find((other) => {
        const usable = other.roomId === one.roomId && !failed(other.roomId, other.holder);
        const order = compareEpochs(other.roomEpoch, one.roomEpoch) || other.tick - one.tick;
        return usable && order > 0;
      });
      assert.equal(fresher, undefined);
    }
    for (const [to, players] of taken) assert.ok(players <= (left.get(to) ?? 0), "seats");
    for (const roomId of without) {
      assert.ok(!held.some((one) => one.roomId === roomId && !failed(roomId, one.holder)));
    }
  });
  fc.assert(property, { seed, numRuns });
});
