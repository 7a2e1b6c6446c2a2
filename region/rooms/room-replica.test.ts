import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { Schema, StateView, schema, t } from "@colyseus/schema";
import fc from "fast-check";
import { dump } from "./restorable.testkit.ts";
import { RoomStateError, type RoomStateErrorKind } from "./room-error.ts";
import { decodeFrame, FRAME_BYTES_MAX } from "./room-frame.ts";
import { RoomHost } from "./room-host.testkit.ts";
import { RoomReplica } from "./room-replica.ts";
import { refIdOf } from "./schema-internals.ts";
import { applyChange, emptyImage, type StateImage } from "./snapshot-image.ts";
import { ID_GAP, restoreState } from "./snapshot-restore.ts";
import { type StateClass, stateTypes } from "./snapshot-schema.ts";

const Item = schema({ name: t.string(), price: t.number() }, "Item");
const State = schema(
  {
    round: t.uint16(),
    items: t.map(Item),
    order: t.array("string"),
    best: t.ref(Item).optional(),
    tags: t.set("string"),
    secret: t.number().view(),
    purses: t.map(Item).view(),
  },
  "State",
);
type State = InstanceType<typeof State>;
const root = State as unknown as StateClass;
const types = stateTypes(root);

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 0x7fff_ffff));

function imageOf(snapshot: Uint8Array): StateImage {
  const image = emptyImage();
  applyChange(image, decodeFrame(snapshot, types.hash).state);
  return image;
}

function fails(run: () => unknown, kind: RoomStateErrorKind): void {
  assert.throws(run, (error) => error instanceof RoomStateError && error.kind === kind);
}

function played(): { host: RoomHost; replica: RoomReplica; state: State } {
  const host = new RoomHost(root);
  const state = host.state as State;
  const replica = new RoomReplica(types.hash);
  state.round = 1;
  state.items.set("a", new Item({ name: "axe", price: 1.5 }));
  replica.push(host.patch());
  return { host, replica, state };
}

test("follows a room that nobody is connected to", () => {
  const { host, replica, state } = played();
  state.items.set("b", new Item({ name: "bow", price: -3 }));
  state.order.push("a", "b");
  replica.push(host.patch());
  state.items.delete("a");
  state.best = state.items.get("b");
  replica.push(host.patch());
  const restored = restoreState(types, imageOf(replica.snapshot()));
  assert.deepEqual(dump(restored, "server"), dump(state, "server"));
});

test("fields that only some clients see are followed and restored", () => {
  const { host, replica, state } = played();
  state.secret = 42;
  state.purses.set("p1", new Item({ name: "gold", price: 7 }));
  replica.push(host.patch());
  const purse = state.purses.get("p1");
  assert.ok(purse);
  purse.price = 8;
  replica.push(host.patch());
  const restored = new RoomHost(root, imageOf(replica.snapshot()));
  assert.deepEqual(dump(restored.state, "server"), dump(state, "server"));
  const view = new StateView();
  view.add(restored.state);
  assert.equal((restored.state as State).purses.get("p1")?.price, 8);
});

test("an instance in two places is one instance again, under its own id", () => {
  const { host, replica, state } = played();
  state.best = state.items.get("a");
  replica.push(host.patch());
  const restored = restoreState(types, imageOf(replica.snapshot())) as State;
  assert.ok(restored.best instanceof Item);
  assert.equal(restored.best, restored.items.get("a"));
  assert.equal(refIdOf(restored.best), refIdOf(state.best as Schema));
});

test("new instances and set entries skip the ids that the lost room may have given out", () => {
  const { host, replica, state } = played();
  state.tags.add("x");
  replica.push(host.patch());
  const image = imageOf(replica.snapshot());
  const restored = new RoomHost(root, image);
  const restoredState = restored.state as State;
  const added = new Item();
  restoredState.items.set("new", added);
  assert.equal(refIdOf(added as Schema), image.nextRefId + ID_GAP);
  restoredState.tags.add("y");
  assert.deepEqual(
    [...restoredState.tags.entries()],
    [
      [0, "x"],
      [1 + ID_GAP, "y"],
    ],
  );
});

test("a restored state has nothing left to send", () => {
  const { replica } = played();
  const restored = new RoomHost(root, imageOf(replica.snapshot()));
  const sent: Uint8Array[] = [];
  restored.join((bytes, full) => {
    if (!full) sent.push(bytes);
  }, false);
  restored.patch();
  assert.deepEqual(sent, []);
});

test("says so when frames are missing, and takes the next full one", () => {
  const { host, replica, state } = played();
  fails(() => new RoomReplica(types.hash).snapshot(), "replica_gap");
  state.round = 2;
  host.patch();
  state.round = 3;
  const late = host.patch();
  fails(() => replica.push(late), "replica_gap");
  fails(() => new RoomReplica(types.hash).push(late), "replica_gap");
  replica.push(new RoomHost(root).patch());
  assert.equal(replica.seq, 0);
});

test("a frame of other classes is refused", () => {
  const Other = schema({ round: t.uint16() }, "State");
  const frame = new RoomHost(Other as unknown as StateClass).patch();
  fails(() => new RoomReplica(types.hash).push(frame), "schema_mismatch");
});

test(`cut and changed frames are refused, each by a typed error (SEED=${seed})`, () => {
  const frame = played().replica.snapshot();
  for (let length = 0; length < frame.length; length++) {
    fails(() => decodeFrame(frame.subarray(0, length), types.hash), "snapshot_corrupt");
  }
  fails(() => decodeFrame(new Uint8Array(FRAME_BYTES_MAX + 1), types.hash), "limit_exceeded");
  const garbage = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    fails(() => decodeFrame(bytes, types.hash), "snapshot_corrupt");
  });
  fc.assert(garbage, { seed, numRuns: 500 });
});

test(`damage behind a right checksum can't do harm (SEED=${seed})`, () => {
  const { replica, host, state } = played();
  state.best = state.items.get("a");
  state.order.push("x", "y");
  replica.push(host.patch());
  const snapshot = replica.snapshot();
  const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
  const property = fc.property(edits, (changes) => {
    const bytes = Buffer.from(snapshot);
    const body = bytes.length - 4;
    for (const [where, value] of changes) bytes[3 + (where % (body - 3))] = value;
    bytes.writeUInt32LE(crc32(bytes.subarray(0, body)), body);
    try {
      // Most damage shows; what does not, such as another number, gives a well-formed state.
      assert.ok(restoreState(types, imageOf(bytes)) instanceof Schema);
    } catch (error) {
      assert.ok(error instanceof RoomStateError, String(error));
    }
  });
  fc.assert(property, { seed, numRuns: 3000 });
});

test("an instance in a place that its class does not fit is refused", () => {
  const image = imageOf(played().replica.snapshot());
  image.nodes.set(0, { kind: "array", items: [] });
  fails(() => restoreState(types, image), "snapshot_corrupt");
});
