import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeId, RoomId } from "../../shared/ids.ts";
import { LeftOut } from "./left-out.ts";
import { chooseStandby } from "./standby-choice.ts";

const ids = ["other-1", "other-2", "other-3"].map((id) => NodeId.parse(id));
const nodes = ids.map((nodeId) => ({ nodeId, linkAddress: "127.0.0.1:1" }));
const rooms = Array.from({ length: 300 }, (_, n) => RoomId.parse(`room-${n}`));
const none = () => false;

function chosen(question: Partial<Parameters<typeof chooseStandby>[0]>): (NodeId | undefined)[] {
  return rooms.map((roomId) => {
    return chooseStandby({ roomId, current: undefined, nodes, leftOut: none, ...question })?.nodeId;
  });
}

test("rooms spread over the standbys, and the end of one moves its own rooms only", () => {
  const before = chosen({});
  for (const id of ids) {
    const share = before.filter((nodeId) => nodeId === id).length;
    assert.ok(share > 60 && share < 140, `${share} of 300`);
  }
  const after = chosen({ nodes: nodes.slice(1) });
  for (const [n, nodeId] of before.entries()) {
    if (nodeId !== ids[0]) assert.equal(after[n], nodeId);
  }
});

test("a standby is kept while it may be one", () => {
  const [first] = ids;
  assert.ok(chosen({ current: first }).every((nodeId) => nodeId === first));
  const gone = chosen({ current: first, nodes: nodes.slice(1) });
  assert.ok(gone.every((nodeId) => nodeId && nodeId !== first));
  const left = chosen({ current: first, leftOut: (nodeId) => nodeId === first });
  assert.deepEqual(left, gone);
  assert.ok(chosen({ nodes: [] }).every((nodeId) => nodeId === undefined));
});

test("each failure in a row leaves a standby out for twice as long, ten seconds at most", () => {
  const [first] = ids;
  assert.ok(first);
  const leftOut = new LeftOut();
  const lengths: number[] = [];
  let nowMs = 0;
  for (let n = 0; n < 6; n += 1) {
    leftOut.failed(first, nowMs);
    const beganMs = nowMs;
    while (leftOut.has(first, nowMs)) nowMs += 500;
    lengths.push(nowMs - beganMs);
  }
  assert.deepEqual(lengths, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  nowMs += 60_000;
  leftOut.failed(first, nowMs);
  assert.equal(leftOut.has(first, nowMs + 1_000), false, "long ago is forgiven");
});
