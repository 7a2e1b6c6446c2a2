/** Whose copy counts, where several nodes send the same room. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { crc32 } from "node:zlib";
import type { Epoch } from "../../shared/epoch.ts";
import { GameName, NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import { FRAME_VERSION } from "../rooms/room-frame.ts";
import { ByteWriter } from "../rooms/snapshot-bytes.ts";
import { type CopyKey, CopyStore } from "./copy-store.ts";

const roomId = RoomId.parse("room");
const ofNode = NodeId.parse("owner-1");
const game = GameName.parse("field");
const [honest, third] = [RegionId.parse("honest"), RegionId.parse("third")];
const own: CopyKey = { roomId, ofNode, passedBy: undefined };

let store: CopyStore;
beforeEach(() => {
  store = new CopyStore({ roomsMax: 10, bytesMax: 1024 * 1024 });
});

/** A stream that opens the room, and sends a full frame unless told not to. */
function opened(key: CopyKey, roomEpoch: Epoch, tick?: number): boolean {
  const feeder = {};
  const taken = store.open({ ...key, game, roomEpoch }, feeder);
  if (taken && tick !== undefined) store.frame(key, feeder, fullFrame(tick), 1);
  return taken;
}

/** What a store looks at of one. */
function fullFrame(tick: number, bytes = 0): Uint8Array {
  const writer = new ByteWriter();
  writer.raw(Buffer.from([0x4d, 0x52, FRAME_VERSION, 0]));
  writer.raw(new Uint8Array(8));
  writer.varuint(0);
  writer.varuint(tick);
  writer.raw(new Uint8Array(bytes));
  writer.u32(crc32(writer.view()));
  return writer.take();
}

function found(roomEpoch: Epoch): number | undefined {
  return store.find({ roomId, ofNode, roomEpoch })?.tick;
}

test("a passed copy is not replaced by one that another region passes", () => {
  assert.ok(opened({ ...own, passedBy: honest }, [1, 1], 7));
  assert.ok(opened({ ...own, passedBy: third }, [1, 1]), "kept beside it");
  assert.equal(found([1, 1]), 7, "one without a frame is none");
  assert.ok(opened({ ...own, passedBy: third }, [9, 9], 99));
  assert.equal(found([1, 1]), 7);
});

test("a room whose state this node does not know is refused, with what there was of it", () => {
  store = new CopyStore({ roomsMax: 10, bytesMax: 1024 * 1024 }, () => "00".repeat(8));
  const feeder = {};
  store.open({ ...own, game, roomEpoch: [1, 1] }, feeder);
  assert.equal(store.frame(own, feeder, fullFrame(7), 1), "kept");
  store = new CopyStore({ roomsMax: 10, bytesMax: 1024 * 1024 }, () => "01".repeat(8));
  store.open({ ...own, game, roomEpoch: [1, 1] }, feeder);
  assert.equal(store.frame(own, feeder, fullFrame(7), 1), "refused");
  assert.equal(store.count, 0);
  assert.equal(store.heldBytes, 0);
});

test("the owner's own copy is preferred, and not taken from it", () => {
  assert.ok(opened(own, [1, 1], 8));
  assert.equal(opened({ ...own, passedBy: third }, [1, 1], 99), false);
  assert.ok(opened({ ...own, passedBy: third }, [2, 1], 99), "of a later epoch it is beside it");
  assert.equal(found([1, 1]), 8);
  assert.equal(store.of(new Set([ofNode])).length, 1);
});

test("an owner opens its room whatever was passed of it, and what was is dropped", () => {
  assert.ok(opened({ ...own, passedBy: third }, [9, 9], 99));
  assert.ok(opened(own, [1, 1]));
  assert.equal(store.count, 1);
  assert.equal(found([9, 9]), undefined);
  assert.equal(found([1, 1]), undefined, "nothing of it is the owner's");
});

/** A copy of another room, with a frame of so many bytes. */
function brought(regionId: RegionId, name: string, bytes: number): string {
  const key = { roomId: RoomId.parse(name), ofNode: NodeId.parse(`${regionId}-1`) };
  const [own, feeder] = [{ ...key, passedBy: undefined }, {}];
  if (!store.open({ ...own, game, roomEpoch: [1, 1] }, feeder)) return "refused";
  return store.frame(own, feeder, fullFrame(1, bytes), 1);
}

test("one region's copies take half of the places at most", () => {
  store = new CopyStore({ roomsMax: 4, bytesMax: 1024 * 1024 });
  assert.equal(brought(third, "a", 100), "kept");
  assert.equal(brought(third, "b", 100), "kept");
  assert.equal(brought(third, "c", 100), "refused");
  assert.equal(brought(honest, "d", 100), "kept");
});

test("one region's copies take half of the bytes at most, and lose first where all are taken", () => {
  store = new CopyStore({ roomsMax: 20, bytesMax: 100_000 });
  const [east, west] = [RegionId.parse("east"), RegionId.parse("west")];
  assert.equal(brought(third, "a", 60_000), "refused");
  assert.equal(brought(third, "b", 30_000), "kept");
  assert.equal(brought(third, "c", 15_000), "kept");
  assert.equal(brought(honest, "d", 20_000), "kept");
  assert.equal(brought(east, "e", 20_000), "kept");
  assert.equal(store.count, 4);
  assert.equal(brought(west, "f", 20_000), "kept", "the heaviest region makes place");
  assert.equal(store.count, 4);
  assert.deepEqual(
    store.of(new Set([NodeId.parse("third-1")])).map(({ roomId }) => roomId),
    ["c"],
  );
  assert.ok(store.heldBytes <= 100_000);
});
