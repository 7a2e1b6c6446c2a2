import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayerId, RoomId, SessionId } from "../../shared/ids.ts";
import { DROP_GRACE_MS, SeatLedger } from "./seat-ledger.ts";

const playerId = PlayerId.parse("018f2f3c-0000-7000-8000-000000000000");
const roomId = RoomId.parse("room");
const session = (name: string) => ({
  sessionId: SessionId.parse(name),
  playerId,
  sessionEpoch: [1, 1] as const,
});
const ofPlayer = (name: string, digit: number) => ({
  ...session(name),
  playerId: PlayerId.parse(`018f2f3c-0000-7000-8000-00000000000${digit}`),
});
const idOf = ({ sessionId }: { readonly sessionId: SessionId }) => sessionId;
const [other, stranger] = [ofPlayer("other", 1), ofPlayer("stranger", 2)];
const [a, b, c] = [session("a"), session("b"), session("c")];

test("a node takes as many as it has seats, in whichever state they are", () => {
  const ledger = new SeatLedger(2);
  assert.equal(ledger.reserve(a, 0), true);
  ledger.arrived(a, roomId);
  assert.equal(ledger.reserve(other, 0), true);
  assert.equal(ledger.reserve(stranger, 0), false);
  ledger.dropped(a.sessionId, 0);
  assert.equal(ledger.reserve(stranger, 0), false);
  assert.deepEqual(ledger.counts(0), { connected: 0, reserved: 2 });
  ledger.left(a.sessionId);
  assert.equal(ledger.reserve(stranger, 0), true);
});

test("a full node gives a player who is there another seat, and no stranger", () => {
  const ledger = new SeatLedger(2);
  ledger.arrived(a, roomId);
  ledger.arrived(other, roomId);
  assert.equal(ledger.reserve(stranger, 0), false);
  assert.equal(ledger.reserve(b, 0), true, "of the same player as a");
  ledger.left(a.sessionId);
  assert.deepEqual(ledger.counts(0), { connected: 1, reserved: 1 });
});

test("a seat lapses at its time, unless its player has come or it was made to wait longer", () => {
  const ledger = new SeatLedger(3);
  for (const each of [a, b, c]) {
    ledger.reserve(each, 0);
    ledger.place(each.sessionId, roomId, 1_000);
  }
  ledger.arrived(b, roomId);
  ledger.place(c.sessionId, roomId, 2_000);
  assert.deepEqual(ledger.counts(999), { connected: 1, reserved: 2 });
  assert.deepEqual(ledger.counts(1_000), { connected: 1, reserved: 1 });
  assert.deepEqual(ledger.counts(2_000), { connected: 1, reserved: 0 });
});

test("each of many seats lapses at its own time, whichever of them went before", () => {
  const ledger = new SeatLedger(10);
  for (const [session, lapsesAtMs] of [
    [c, 3_000] as const,
    [a, 1_000] as const,
    [b, 2_000] as const,
  ]) {
    ledger.reserve(session, 0);
    ledger.place(session.sessionId, roomId, lapsesAtMs);
  }
  ledger.left(a.sessionId);
  const reserved = (nowMs: number) => ledger.counts(nowMs).reserved;
  assert.deepEqual([999, 1_000, 2_000, 2_999, 3_000].map(reserved), [2, 2, 1, 1, 0]);
});

test("a seat for which a room is being found does not lapse", () => {
  const ledger = new SeatLedger(1);
  ledger.reserve(a, 0);
  assert.deepEqual(ledger.counts(Number.MAX_SAFE_INTEGER), { connected: 0, reserved: 1 });
});

test("an event told twice, or about nobody, changes nothing", () => {
  const ledger = new SeatLedger(2);
  ledger.arrived(a, roomId);
  ledger.arrived(a, roomId);
  assert.deepEqual(ledger.counts(0), { connected: 1, reserved: 0 });
  ledger.left(a.sessionId);
  ledger.left(a.sessionId);
  ledger.dropped(a.sessionId, 0);
  ledger.place(a.sessionId, roomId, 1_000);
  assert.deepEqual(ledger.counts(0), { connected: 0, reserved: 0 });
});

test("a player who arrived is not made to lapse by a late renewal", () => {
  const ledger = new SeatLedger(1);
  ledger.reserve(a, 0);
  ledger.arrived(a, roomId);
  ledger.place(a.sessionId, roomId, 1_000);
  assert.deepEqual(ledger.counts(2_000), { connected: 1, reserved: 0 });
});

test("the end of a room frees its seats and no others", () => {
  const ledger = new SeatLedger(2);
  ledger.arrived(a, roomId);
  ledger.arrived(b, RoomId.parse("other"));
  ledger.roomEnded(roomId, 0);
  assert.equal(ledger.get(a.sessionId), undefined);
  assert.equal(ledger.get(b.sessionId)?.state, "connected");
});

test("a dropped player's seat that no room holds is freed, after a grace", () => {
  const ledger = new SeatLedger(3);
  for (const each of [a, b, c]) ledger.arrived(each, roomId);
  ledger.dropped(a.sessionId, 0);
  ledger.dropped(b.sessionId, 0);
  const heldB = ({ sessionId }: { sessionId: string }) => sessionId === b.sessionId;
  ledger.retain(heldB, DROP_GRACE_MS - 1);
  assert.deepEqual(ledger.counts(0), { connected: 1, reserved: 2 });
  ledger.retain(heldB, DROP_GRACE_MS);
  assert.deepEqual(ledger.counts(0), { connected: 1, reserved: 1 });
  ledger.arrived(b, roomId);
  ledger.retain(() => false, 10 * DROP_GRACE_MS);
  assert.deepEqual(ledger.counts(0), { connected: 2, reserved: 0 });
});

test("a room's end frees its seats alone, and a seat that moved is its new room's", () => {
  const ledger = new SeatLedger(3);
  const other = RoomId.parse("other");
  ledger.arrived(a, roomId);
  ledger.arrived(a, other);
  ledger.arrived(b, roomId);
  assert.deepEqual(
    ledger.rivals(c, roomId).map(({ sessionId }) => sessionId),
    [b.sessionId],
  );
  ledger.roomEnded(roomId, 0);
  assert.equal(ledger.get(b.sessionId), undefined);
  assert.deepEqual(
    ledger.rivals(c, other).map(({ sessionId }) => sessionId),
    [a.sessionId],
  );
  assert.deepEqual(ledger.counts(0), { connected: 1, reserved: 0 });
});

test("a seat that nobody came for is told once, and not while its room holds it or its player is there", () => {
  const ledger = new SeatLedger(4);
  const d = ofPlayer("d", 3);
  for (const each of [a, other, stranger, d]) {
    ledger.reserve(each, 0);
    ledger.place(each.sessionId, roomId, 1_000);
  }
  ledger.givenBack(a.sessionId);
  ledger.arrived(other, roomId);
  assert.deepEqual(ledger.counts(1_000), { connected: 1, reserved: 0 });
  // A moment before the room's own clock said so.
  const told = ledger.takeUnused(({ sessionId }) => sessionId !== a.sessionId);
  assert.deepEqual(told.map(idOf), [a.sessionId]);
  ledger.arrived(d, roomId);
  const later = ledger.takeUnused(() => false);
  assert.deepEqual(later.map(idOf), [stranger.sessionId]);
  assert.deepEqual(
    ledger.takeUnused(() => false),
    [],
  );
});
