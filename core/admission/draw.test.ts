/** What is drawn for an opening, and that nothing tells it before its time. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Chance, testSeed } from "../../shared/chance.testkit.ts";
import { PlayerId, RegionId } from "../../shared/ids.ts";
import { CLASSES_DEFAULT, NORMAL, parseClasses } from "./classes.ts";
import { drawnNumber, drawOf, type Opening, rangeOf } from "./draw.ts";
import type { OpeningDraw } from "./region-queue.ts";
import { WaitingRooms } from "./waiting-rooms.ts";

const here = RegionId.parse("here");
const there = RegionId.parse("there");
const SCHEDULED_MS = 1_700_000_000_000;
const OPENS_MS = SCHEDULED_MS + 600_000;
const opening: Opening = {
  regionId: here,
  scheduledAtMs: SCHEDULED_MS,
  opensAtMs: OPENS_MS,
  seed: Buffer.alloc(32, 7),
};
const player = (n: number) =>
  PlayerId.parse(`00000000-0000-7000-8000-${String(n).padStart(12, "0")}`);

function roomsWith(draw: OpeningDraw): WaitingRooms {
  const settings = {
    classes: parseClasses(CLASSES_DEFAULT),
    rate: { perSecond: 100, burst: 100 },
    waitingMax: 1_000,
    pollsPerSecondMax: 1_000,
  };
  const rooms = new WaitingRooms(settings, [here, there], SCHEDULED_MS - 1_000);
  rooms.open(here, draw);
  return rooms;
}

function enter(rooms: WaitingRooms, n: number, nowMs: number) {
  const member = rooms.enter(
    {
      playerId: player(n),
      party: [],
      invited: [],
      class: NORMAL,
      regionIds: [here],
      others: [{ regionId: there, addedMs: 5 }],
      mayWait: true,
    },
    nowMs,
  );
  assert.ok(member);
  return member;
}

function free(rooms: WaitingRooms, seats: number, elsewhere = 0): void {
  const report = (all: number) => ({ limited: all, all, limit: 100 });
  rooms.report(
    new Map([
      [here, report(seats)],
      [there, report(elsewhere)],
    ]),
  );
}

test("the number is what the rule says, after those of before and before those of later", () => {
  const range = rangeOf(opening);
  const rooms = roomsWith(drawOf(opening));
  const queue = rooms.queues.get(here);
  for (let n = 0; n < 200; n += 1) {
    const hash = createHash("sha256").update(Buffer.alloc(32, 7)).update(player(n)).digest("hex");
    const share = Number.parseInt(hash.slice(0, 12), 16) / 2 ** 48;
    const number = drawnNumber(opening.seed, player(n), range);
    assert.equal(number, range.firstNumber + Math.floor(share * range.numbers));
    assert.ok(Number.isSafeInteger(number));
    assert.ok(number < (queue?.number(player(n), OPENS_MS) ?? 0));
  }
  const early = roomsWith({ ...drawOf(opening), opensAtMs: 0 }).queues.get(here);
  assert.ok((early?.number(player(0), SCHEDULED_MS - 1) ?? Infinity) < range.firstNumber);
});

test("until the opening nothing that a client sees depends on the draw", () => {
  const seen = [1, 2].map((value) => {
    const rooms = roomsWith(drawOf({ ...opening, seed: Buffer.alloc(32, value) }));
    free(rooms, 3);
    const members = Array.from({ length: 40 }, (_, n) => enter(rooms, n, SCHEDULED_MS + n));
    return [SCHEDULED_MS + 100, OPENS_MS - 20_000, OPENS_MS - 1].map((nowMs) =>
      members.map((member) => {
        const { entry: _, home, ...told } = rooms.stand(member, { dice: 0.5 }, nowMs);
        return { ...told, number: rooms.queues.get(here)?.toldNumber(home, nowMs) };
      }),
    );
  });
  assert.deepEqual(seen[0], seen[1]);
  const last = seen[0]?.at(-1)?.[0];
  assert.deepEqual([last?.number, last?.position, last?.called], [0, null, undefined]);
});

test("who waited before, or came while it was stored, keeps the number, and is called first", () => {
  const rooms = roomsWith(drawOf(opening));
  rooms.open(here, undefined);
  const old = enter(rooms, 0, SCHEDULED_MS + 5);
  rooms.open(here, drawOf(opening));
  const [place] = old.entry.places;
  const queue = rooms.queues.get(here);
  assert.ok(place && queue);
  assert.equal(queue.toldNumber(place, SCHEDULED_MS), place.number);
  for (let n = 1; n < 20; n += 1) enter(rooms, n, OPENS_MS - 5);
  enter(rooms, 0, OPENS_MS - 5);
  free(rooms, 1);
  rooms.advance(OPENS_MS - 1);
  assert.equal(rooms.takeCalled().length, 0);
  rooms.advance(OPENS_MS);
  assert.deepEqual(
    rooms.takeCalled().map(({ leader }) => leader),
    [player(0)],
  );
});

test("a time that is moved changes no order, and who comes later stays behind", () => {
  const chance = new Chance(testSeed());
  const seed = chance.bytes(32);
  const rooms = roomsWith(drawOf({ ...opening, seed }));
  const order = () => {
    const queue = rooms.queues.get(here);
    return [...rooms.members()]
      .sort((a, b) => (a.entry.places[0]?.number ?? 0) - (b.entry.places[0]?.number ?? 0))
      .map(({ playerId, entry: { places } }) => [playerId, places[0] && queue?.ahead(places[0])]);
  };
  for (let n = 0; n < 50; n += 1) enter(rooms, n, SCHEDULED_MS + 1_000 + n);
  const before = order();
  assert.deepEqual(
    before.map(([, ahead]) => ahead),
    before.map((_, index) => index),
  );
  for (const leadMs of [3_600_000, 2_000]) {
    rooms.open(here, drawOf({ ...opening, seed, opensAtMs: SCHEDULED_MS + leadMs }));
    assert.deepEqual(order(), before, `seed ${testSeed()}`);
  }
  enter(rooms, 99, SCHEDULED_MS + 2_000);
  assert.equal(order().at(-1)?.[0], player(99));
});

test("all who draw the same number have a place each, whatever happens meanwhile", () => {
  const same: OpeningDraw = { ...drawOf(opening), numberOf: () => 5 };
  const rooms = roomsWith(same);
  const nowMs = OPENS_MS - 100;
  const [first] = [0, 1, 2].map((n) => enter(rooms, n, nowMs));
  assert.ok(first);
  rooms.stand(first, { dice: 0.5 }, nowMs);
  rooms.accept(first, there, nowMs);
  // Called elsewhere, it is in no line here, and comes back to where another one is meanwhile.
  free(rooms, 0, 1);
  rooms.advance(nowMs);
  assert.equal(rooms.take(player(0), nowMs), there);
  enter(rooms, 3, nowMs);
  rooms.untaken(player(0), nowMs);
  free(rooms, 4, 0);
  for (let n = 0; n < 4; n += 1) enter(rooms, n, OPENS_MS - 1);
  rooms.advance(OPENS_MS);
  const called = rooms.takeCalled().map(({ leader }) => leader);
  assert.deepEqual([...called].slice(-4).sort(), [0, 1, 2, 3].map(player));
});
