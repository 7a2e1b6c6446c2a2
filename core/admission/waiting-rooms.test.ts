/** Cases that were wrong once, or that random worlds seldom meet. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import { CLASSES_DEFAULT, parseClasses } from "./classes.ts";
import { WaitingRooms } from "./waiting-rooms.ts";

const HOME = "home" as RegionId;
const FAR = "far" as RegionId;
const BEGIN_MS = 1_700_000_000_000;

class Door {
  nowMs = BEGIN_MS;
  readonly rooms: WaitingRooms;

  constructor(waitingMax = 100, classes = CLASSES_DEFAULT) {
    const settings = {
      classes: parseClasses(classes),
      rate: { perSecond: 1_000, burst: 1_000 },
      ...{ waitingMax, pollsPerSecondMax: 1_000 },
    };
    this.rooms = new WaitingRooms(settings, [HOME, FAR], BEGIN_MS);
  }

  /** Free seats: for everyone, and with the headroom. */
  report(limited: number, all = limited, limit = 10): void {
    const far = { limited: 0, all: 0, limit: 10 };
    this.rooms.report(
      new Map([
        [HOME, { limited, all, limit }],
        [FAR, far],
      ]),
    );
  }

  enter(
    name: string,
    { party = [] as string[], class: of = "normal", regionId = HOME, far = true } = {},
  ) {
    const others = far && regionId === HOME ? [{ regionId: FAR, addedMs: 30 }] : [];
    return this.rooms.enter(
      {
        ...{ playerId: id(name), invited: [], class: of, regionIds: [regionId], others },
        ...{ party: party.map(id), mayWait: true },
      },
      this.nowMs,
    );
  }

  pass(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs = Math.min(endMs, this.nowMs + 1_000);
      this.rooms.advance(this.nowMs);
    }
  }

  called(): PlayerId[] {
    return this.rooms.takeCalled().map(({ leader }) => leader);
  }
}

function id(name: string): PlayerId {
  return name as PlayerId;
}

test("a party that became larger than its region blocks nobody", () => {
  const door = new Door();
  door.report(0);
  door.enter("a", { party: ["b", "c", "d"] });
  door.enter("e");
  door.report(2, 2, 3);
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["e"]);
});

test("seats of the headroom are not kept for a party that could not have them", () => {
  const door = new Door();
  door.report(0);
  door.enter("a", { party: ["b", "c"] });
  // One seat at a time, so the party is passed as often as it may be.
  for (let n = 0; n < 40; n += 1) {
    door.enter(`solo${n}`);
    door.report(1);
    door.rooms.poll(id("a"), false, door.nowMs);
    door.rooms.advance(door.nowMs);
    for (const one of door.called()) door.rooms.seated(one, door.nowMs);
    door.report(0);
  }
  assert.ok(door.rooms.find(id("solo39")), "the last ones wait behind the party");
  door.enter("lost", { class: "failover" });
  door.report(1, 4);
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["lost"]);
});

test("a connection that was open for long and breaks keeps the place for the grace", () => {
  const door = new Door();
  door.report(0);
  const member = door.enter("a");
  assert.ok(member);
  door.rooms.stand(member, { dice: 0.5, heldMs: 600_000 }, door.nowMs);
  door.pass(500_000);
  door.rooms.vanished(id("a"), door.nowMs);
  door.pass(115_000);
  assert.ok(door.rooms.find(id("a")));
  door.pass(10_000);
  assert.equal(door.rooms.find(id("a")), undefined);
});

test("a leader who goes and comes back has a place of its own", () => {
  const door = new Door();
  door.report(0);
  door.enter("a", { party: ["b"] });
  door.rooms.leave(id("a"), door.nowMs);
  door.enter("a");
  const changed = door.rooms.takeChanged();
  assert.equal(changed.get(id("a"))?.size, 1);
  assert.equal(changed.get(id("b"))?.size, 1);
});

test("a full queue elsewhere costs no place", () => {
  const door = new Door(1);
  door.report(0);
  door.enter("a");
  door.enter("b", { regionId: FAR });
  const isFull = (error: unknown) => error instanceof MeridianError && error.kind === "queue_full";
  assert.throws(() => door.enter("b", { far: false }), isFull);
  assert.ok(door.rooms.find(id("b")));
});

test("who is told twice and does not come has lost the place", () => {
  const door = new Door();
  door.report(0);
  door.enter("a");
  door.report(1);
  for (let times = 0; times < 2; times += 1) {
    const member = door.rooms.poll(id("a"), false, door.nowMs);
    assert.ok(door.rooms.stand(member, { dice: 0.5 }, door.nowMs).called);
    door.pass(15_000);
  }
  assert.throws(() => door.rooms.poll(id("a"), false, door.nowMs), /given up/);
  assert.equal(door.rooms.queues.get(HOME)?.held, 0);
});

test("a class that is not configured any more is that of everybody, wherever that one is named", () => {
  const door = new Door(100, "normal=1,failover=100,reconnect=1000");
  door.report(0);
  const member = door.enter("a", { class: "supporter" });
  assert.ok(member);
  assert.equal(door.rooms.stand(member, { dice: 0.5 }, door.nowMs).class, "normal");
});

test("a seat elsewhere that does not come either leaves the place where it was", () => {
  const door = new Door();
  door.report(0);
  const [first] = [door.enter("a"), door.enter("b")];
  assert.ok(first);
  door.rooms.report(
    new Map([
      [HOME, { limited: 1, all: 1, limit: 10 }],
      [FAR, { limited: 1, all: 1, limit: 10 }],
    ]),
  );
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["a"]);
  assert.equal(door.rooms.divert(id("a"), FAR, door.nowMs), false, "it is called already");
  assert.equal(door.rooms.take(id("a"), door.nowMs), HOME);
  door.rooms.untaken(id("a"), door.nowMs);
  assert.equal(door.rooms.divert(id("a"), FAR, door.nowMs), true);
  assert.equal(door.rooms.take(id("a"), door.nowMs), FAR);
  assert.equal(door.rooms.divert(id("b"), FAR, door.nowMs), false, "the seat is held");
  door.rooms.untaken(id("a"), door.nowMs);
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["a", "a"], "before b");
  const held = [HOME, FAR].map((regionId) => door.rooms.queues.get(regionId)?.held);
  assert.deepEqual(held, [1, 0]);
});

test("whoever waits for a region that is there no more is told so, or waits for the other one", () => {
  const door = new Door();
  door.report(0);
  door.enter("a", { regionId: FAR, far: false });
  door.enter("b", { regionId: FAR, party: ["c"], far: false });
  const both = door.enter("d");
  assert.ok(both);
  door.rooms.accept(both, FAR, door.nowMs);
  door.rooms.report(new Map([[FAR, { limited: 1, all: 1, limit: 10 }]]));
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["a"]);
  door.rooms.removeRegion(FAR, door.nowMs);
  for (const name of ["a", "b", "c"]) {
    assert.throws(() => door.rooms.poll(id(name), false, door.nowMs), /given up/);
  }
  door.rooms.seated(id("a"), door.nowMs);
  assert.deepEqual(
    both.entry.places.map(({ regionId }) => regionId),
    [HOME],
  );
  door.report(1);
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["d"]);
});

test("breaking the connection again and again is no way to poll at once", () => {
  const door = new Door();
  door.report(0);
  const member = door.enter("a");
  assert.ok(member);
  door.rooms.stand(member, { dice: 0.5 }, door.nowMs);
  door.rooms.vanished(id("a"), door.nowMs);
  assert.throws(() => door.rooms.poll(id("a"), false, door.nowMs), /slow down/);
  door.pass(500);
  assert.equal(door.rooms.poll(id("a"), false, door.nowMs), member);
});
