import assert from "node:assert/strict";
import { test } from "node:test";
import { SessionId } from "../../shared/ids.ts";
import { OpenSockets, SOCKETS_PER_SESSION_MAX } from "./open-sockets.ts";

const [ada, bea] = ["ada", "bea"].map((name) => SessionId.parse(name));
assert.ok(ada && bea);

test("one session's returns keep nobody else's out", () => {
  const sockets = new OpenSockets({ connectionsMax: 100, beaconsMax: 1 });
  for (let opened = 0; opened < SOCKETS_PER_SESSION_MAX; opened += 1) {
    assert.equal(sockets.mayReturn(ada), true);
    sockets.playerOpened(ada);
  }
  assert.equal(sockets.mayReturn(ada), false);
  assert.equal(sockets.mayReturn(bea), true);
  sockets.playerClosed(ada);
  assert.equal(sockets.mayReturn(ada), true);
});

test("players and beacons are counted apart, and all that close are forgotten", () => {
  const sockets = new OpenSockets({ connectionsMax: 1, beaconsMax: 1 });
  sockets.playerOpened(ada);
  assert.equal(sockets.mayReturn(bea), false);
  assert.equal(sockets.beaconOpened(), true);
  assert.equal(sockets.beaconOpened(), false);
  assert.equal(sockets.count, 2);
  sockets.playerClosed(ada);
  sockets.beaconClosed();
  assert.equal(sockets.count, 0);
  assert.equal(sockets.mayReturn(bea), true);
  assert.equal(sockets.beaconOpened(), true);
});
