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
  report(limited: number, all = limited, limit = 10, worldFree = 1_000): void {
    const far = { limited: 0, all: 0, limit: 10 };
    this.rooms.report(
      new Map([
        [HOME, { limited, all, limit }],
        [FAR, far],
      ]),
      worldFree,
    );
  }

  enter(
    name: string,
    {
      party = [] as string[],
      invited = [] as string[],
      class: of = "normal",
      regionId = HOME,
      far = true,
    } = {},
  ) {
    const others = far && regionId === HOME ? [{ regionId: FAR, addedMs: 30 }] : [];
    return this.rooms.enter(
      {
        ...{ playerId: id(name), class: of, regionIds: [regionId], others, mayWait: true },
        ...{ party: party.map(id), invited: invited.map(id) },
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

test("nobody loses a place, or a seat that is held, because another one joins with them", () => {
  const door = new Door();
  door.report(0);
  const first = door.enter("a");
  door.enter("b");
  const late = door.enter("c", { party: ["b"] });
  assert.deepEqual(
    late?.entry.members.map(({ playerId }) => playerId),
    ["c"],
  );
  assert.equal(door.rooms.find(id("b"))?.entry.places[0]?.regionId, HOME);
  assert.notEqual(door.rooms.find(id("b"))?.entry, late?.entry);
  door.report(1);
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["a"]);
  door.enter("d", { party: ["a"] });
  assert.equal(door.rooms.find(id("a"))?.entry, first?.entry);
  assert.equal(
    door.rooms.take(id("a"), door.nowMs),
    HOME,
    "the call of the one who was there first",
  );
});

test("a party that asks for another region goes there together", () => {
  const door = new Door();
  door.report(0);
  door.enter("a", { party: ["b"], far: false });
  const moved = door.enter("a", { party: ["b"], regionId: FAR });
  assert.equal(moved?.entry.size, 2);
  assert.equal(door.rooms.find(id("b"))?.entry, moved?.entry);
});

test("nobody of a lesser class comes along into a better one's place", () => {
  const door = new Door();
  door.report(0);
  const dropped = door.enter("a", { class: "reconnect", invited: ["b", "c"] });
  const friend = door.enter("b", { invited: ["a"] });
  assert.notEqual(friend?.entry, dropped?.entry);
  door.enter("c", { class: "reconnect", invited: ["a"] });
  assert.equal(dropped?.entry.size, 2);
});

test("a core that was stopped for minutes takes nobody for gone, and calls them in their order", () => {
  const door = new Door();
  door.report(0);
  for (const name of ["a", "b", "c"]) {
    const member = door.enter(name);
    assert.ok(member);
    // Who is at the end of the line asks seldom, and would be the only one who is not overdue.
    door.rooms.stand(member, { dice: 0.5, heldMs: name === "c" ? 400_000 : 0 }, door.nowMs);
  }
  door.report(1);
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["a"]);
  const member = door.rooms.poll(id("a"), false, door.nowMs + 2_000);
  assert.equal(door.rooms.stand(member, { dice: 0.5 }, door.nowMs + 2_000).called, HOME);
  door.nowMs += 300_000;
  door.report(2);
  door.rooms.resumed(298_000, door.nowMs);
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["b"]);
  assert.equal(door.rooms.take(id("a"), door.nowMs), HOME);
});

test("who takes seats of the headroom costs those who may not have them no turns, and gives them none", () => {
  const door = new Door(200);
  door.report(0);
  for (let n = 0; n < 30; n += 1) door.enter(`staff${n}`, { class: "staff" });
  for (let n = 0; n < 150; n += 1) door.enter(`lost${n}`, { class: "failover" });
  const turns = (limited: number, seats: number) => {
    const names: PlayerId[] = [];
    for (let n = 0; n < seats; n += 1) {
      for (const one of door.rooms.members()) door.rooms.hear(one, door.nowMs);
      door.report(limited, 1);
      door.rooms.advance(door.nowMs);
      for (const one of door.called()) {
        door.rooms.seated(one, door.nowMs);
        names.push(one);
      }
    }
    return names.filter((one) => one.startsWith("staff")).length;
  };
  assert.equal(turns(0, 100), 0, "those seats are of the headroom");
  const staff = turns(1, 12);
  assert.ok(
    staff >= 1 && staff <= 3,
    `${staff} of 12 seats at 20 to 100, not all that were missed`,
  );
});

test("each of a party has time to come from when it hears of the call, and all together have an end", () => {
  const door = new Door();
  door.report(0);
  const names = ["a", "b", "c"];
  door.enter("a", { party: ["b", "c"] });
  const hear = (name: string) => {
    const member = door.rooms.find(id(name));
    assert.ok(member);
    door.rooms.hear(member, door.nowMs);
    return door.rooms.stand(member, { dice: 0.5, heldMs: 30_000 }, door.nowMs);
  };
  for (const name of names) {
    hear(name);
    door.nowMs += 1;
  }
  door.pass(20_000);
  door.report(3);
  door.rooms.advance(door.nowMs);
  assert.deepEqual(door.called(), ["a"]);
  assert.ok(hear("a").called);
  door.pass(10_000);
  assert.ok(hear("b").called);
  door.pass(9_000);
  assert.equal(door.rooms.take(id("b"), door.nowMs), HOME, "it has ten seconds from then on");
  door.rooms.untaken(id("b"), door.nowMs);
  door.pass(120_000);
  assert.equal(door.rooms.queues.get(HOME)?.held, 0);
});

test("a seat is told to come at once only where it may be given", () => {
  const door = new Door();
  door.report(5, 5, 10, 0);
  const member = door.enter("a");
  assert.ok(member);
  door.rooms.advance(door.nowMs);
  const { eta, called } = door.rooms.stand(member, { dice: 0.5 }, door.nowMs);
  assert.equal(called, undefined, "as many are active in the world as may be");
  assert.notEqual(eta?.ms, 0);
  assert.ok(eta === null || eta.ms > 10_000, `${eta?.ms} ms`);
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
