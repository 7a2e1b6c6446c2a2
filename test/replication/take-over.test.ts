/** Whole nodes in processes of their own: one dies or gives its rooms away, another one goes on with them. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TestCore } from "../../region/link/test-core.ts";
import type { NodeId, RoomId } from "../../shared/ids.ts";
import type { CopyName } from "../../shared/protocol/failover.ts";
import { until } from "../until.ts";
import { RunningNode } from "./running-node.testkit.ts";

let core: TestCore;
/** Each lives until a test kills it: processes take time to start. */
let first: RunningNode;
let second: RunningNode;
let small: RunningNode;
let large: RunningNode;

before(async () => {
  core = await TestCore.start();
  first = new RunningNode(core, "testing", 1);
  second = new RunningNode(core, "other", 2);
  small = new RunningNode(core, "other", 3);
  large = new RunningNode(core, "third", 4);
  await Promise.all([first.start(), second.start(), small.start(1), large.start()]);
});
after(async () => {
  await Promise.all([first, second, small, large].map((node) => node.end()));
  await core.stop();
});

async function namesOf(standby: RunningNode, owner: NodeId): Promise<CopyName[]> {
  const copies = await standby.copiesOf(owner);
  return copies.map(({ roomId, ofNode, roomEpoch }) => ({ roomId, ofNode, roomEpoch }));
}

function claimsOf(roomId: RoomId, node: RunningNode): number {
  return core.claims.filter((claim) => claim.roomId === roomId && claim.nodeId === node.nodeId)
    .length;
}

test("a room without a standby stays, and plays on", async () => {
  const owner = first;
  const { seat, room } = await owner.join();
  const { moved, stayed } = await owner.moveRooms([seat.roomId]);
  assert.deepEqual(moved, []);
  assert.match(stayed[0]?.why ?? "", /no standby/);
  const { ticks } = room.state;
  await until("later ticks", () => room.state.ticks > ticks);
  await room.leave();
});

test("a live room moves without the loss of a tick", async () => {
  const [owner, standby] = [first, second];
  owner.copyTo(standby);
  const { seat, room } = await owner.join();
  const closed = new Promise<number>((resolve) => room.onLeave.once(resolve));
  await owner.protectedRooms(1);
  const { moved, stayed } = await owner.moveRooms([seat.roomId]);
  assert.deepEqual(stayed, []);
  const [one] = moved;
  assert.ok(one);
  assert.equal(one.to, standby.nodeId);
  assert.equal(await closed, 1001, "the player is sent off to come back");
  assert.ok(core.released.includes(seat.roomId));
  const { roomId, roomEpoch } = one;
  await until("its claim, before anybody asks for it", () => claimsOf(roomId, standby) === 1);
  const { taken } = await standby.takeOver([{ roomId, roomEpoch, ofNode: owner.nodeId }]);
  assert.deepEqual([taken[0]?.roomId, taken[0]?.players], [roomId, 1]);
  assert.ok((taken[0]?.tick ?? 0) >= one.tick);
  assert.equal(claimsOf(roomId, standby), 1);
  const back = await standby.comeBack(seat);
  await until("the state", () => back.state.ticks > one.tick);
  await until("an owner without it", () => owner.heartbeat?.rooms === 0);
  const told = core.heartbeats.some(({ endedRooms }) => endedRooms.includes(roomId));
  assert.equal(told, false, "a room that moved has not ended");
  const { stayed: none } = await owner.moveRooms([seat.roomId]);
  assert.match(none[0]?.why ?? "", /no such room/);
  await back.leave();
});

test("a node is killed, and its player plays on at the standby: same room, same session, same score", async () => {
  const [owner, standby] = [first, second];
  owner.copyTo(standby);
  const { seat, room } = await owner.join();
  await owner.protectedRooms(1);
  await until("some rings", () => room.state.rings >= 2);
  const seen = { ticks: room.state.ticks, rings: room.state.rings };
  await owner.kill();
  const names = await namesOf(standby, owner.nodeId);
  assert.deepEqual(
    names.map(({ roomId }) => roomId),
    [seat.roomId],
  );
  // Asked twice at once, as by a core that did not hear the first answer.
  const answers = await Promise.all([standby.takeOver(names), standby.takeOver(names)]);
  for (const { taken, failed } of answers) {
    assert.deepEqual(failed, []);
    assert.equal(taken[0]?.roomId, seat.roomId);
    assert.equal(taken[0]?.players, 1);
  }
  await until("its claim", () => claimsOf(seat.roomId, standby) === 1);
  const { formerEpoch } = core.claims.findLast(({ roomId }) => roomId === seat.roomId) ?? {};
  assert.deepEqual(formerEpoch, names[0]?.roomEpoch, "it says whose state it goes on with");
  const back = await standby.comeBack(seat);
  assert.equal(back.sessionId, seat.sessionId);
  await until("the state", () => back.state.resumed === 1);
  assert.equal(back.state.scores.get(seat.sessionId), 7);
  const ticksLost = Math.max(0, seen.ticks - (answers[0]?.taken[0]?.tick ?? 0));
  assert.ok(ticksLost * 50 <= 2_000, `${ticksLost} ticks`);
  await until("timers that go on", () => back.state.rings > seen.rings);
  const again = await standby.takeOver(names);
  assert.equal(again.taken.length, 1, "it is here, and stays taken");
  assert.equal(claimsOf(seat.roomId, standby), 1);
  assert.deepEqual(
    await standby.copiesOf(owner.nodeId),
    [],
    "what it went on with is no copy more",
  );
  await back.leave();
});

test("a room whose players don't all get seats is not taken, but passed on whole to who has them", async () => {
  const owner = second;
  owner.copyTo(small);
  const { seat } = await owner.join();
  await owner.join(seat.roomId);
  await owner.protectedRooms(1);
  await until("both players in the copy", async () => {
    const [copy] = await small.copiesOf(owner.nodeId);
    return copy?.players === 2;
  });
  await owner.kill();
  const names = await namesOf(small, owner.nodeId);
  assert.deepEqual(await small.takeOver(names), {
    taken: [],
    failed: [{ roomId: seat.roomId, why: "no seats" }],
  });
  assert.equal(small.heartbeat?.rooms, 0);
  assert.deepEqual(await small.passCopies(names, large.address), {
    passed: [seat.roomId],
    failed: [],
  });
  assert.deepEqual(await large.copiesOf(owner.nodeId), [], "only what owners send is told of");
  const { taken } = await large.takeOver(names);
  assert.equal(taken[0]?.players, 2);
  const back = await large.comeBack(seat);
  await until("the state", () => back.state.scores?.get(seat.sessionId) === 7);
  const wrong = names.map((name) => ({ ...name, roomEpoch: [1, 99] as const }));
  const { failed } = await small.takeOver(wrong);
  assert.equal(failed[0]?.why, "no copy of that epoch");
  await back.leave();
});
