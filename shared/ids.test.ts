import assert from "node:assert/strict";
import { test } from "node:test";
import {
  GameName,
  NodeId,
  nodeIdOf,
  PlayerId,
  RegionId,
  RoomId,
  SessionId,
  uuidV7,
} from "./ids.ts";

test("a version 7 UUID sorts by its time and is a PlayerId", () => {
  const zeros = new Uint8Array(10);
  const ones = new Uint8Array(10).fill(0xff);
  const earlier = uuidV7(1_700_000_000_000, ones);
  const later = uuidV7(1_700_000_000_001, zeros);
  assert.ok(earlier < later);
  for (const id of [earlier, later]) assert.equal(PlayerId.parse(id), id);
  // RFC 9562, appendix A.6: the first 48 bits are the time.
  assert.match(uuidV7(0x017f22e279b0, zeros), /^017f22e2-79b0-7000-8000-000000000000$/);
});

test("a node's id holds its region and its incarnation", () => {
  const nodeId = nodeIdOf(RegionId.parse("beijing"), 17);
  assert.equal(nodeId, "beijing-17");
  assert.equal(NodeId.parse(nodeId), nodeId);
});

test("ids with a wrong form are refused", () => {
  for (const bad of ["", "Beijing", "a b", "9region", "x".repeat(33)]) {
    assert.equal(RegionId.safeParse(bad).success, false, bad);
  }
  for (const bad of ["", "a:b", "../up", "x".repeat(65), "a b", "__proto__", "constructor"]) {
    assert.equal(RoomId.safeParse(bad).success, false, bad);
    assert.equal(SessionId.safeParse(bad).success, false, bad);
  }
  for (const bad of ["beijing", "beijing-0", "beijing-01", "-1"]) {
    assert.equal(NodeId.safeParse(bad).success, false, bad);
  }
  for (const bad of ["__proto__", "", "1st", "a/b"]) {
    assert.equal(GameName.safeParse(bad).success, false, bad);
  }
});
