/** Operations in the order of their places, each once, whatever order and how often answers come in. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OpId, type RoomOp } from "../../shared/protocol/value.ts";
import { OpOrder } from "./op-order.ts";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 0x7fff_ffff));

function opAt(opSeq: number): RoomOp {
  return { opSeq, id: OpId.parse(`room/cause-${opSeq}/ada`), changes: [] };
}

function taken(order: OpOrder): number[] {
  const places: number[] = [];
  for (let op = order.take(); op; op = order.take()) places.push(op.opSeq);
  return places;
}

test("an answer waits for those before it; a refused one is passed over; none comes twice", () => {
  const order = new OpOrder(4);
  order.note(7, opAt(7));
  order.note(6, undefined);
  assert.deepEqual([taken(order), order.gap, order.delivered, order.seen], [[], true, 4, 7]);
  order.note(5, opAt(5));
  assert.deepEqual([taken(order), order.gap, order.delivered], [[5, 7], false, 7]);
  for (const place of [4, 5, 6, 7]) order.note(place, opAt(place));
  assert.deepEqual([taken(order), order.gap], [[], false]);
});

test("what the core says closes a gap, also one that nothing will ever fill", () => {
  const order = new OpOrder(0);
  order.note(3, opAt(3));
  order.note(9, opAt(9));
  order.learn({ ops: [opAt(2), opAt(3)], upTo: 5, more: false });
  assert.deepEqual([taken(order), order.delivered, order.gap], [[2, 3], 5, true]);
  order.note(6, opAt(6));
  assert.deepEqual(taken(order), [6]);
  order.learn({ ops: [], upTo: 9, more: false });
  assert.deepEqual([taken(order), order.delivered, order.gap], [[9], 9, false]);
});

test("what waits is bounded", () => {
  const order = new OpOrder(0);
  for (let place = 2; !order.full; place += 1) order.note(place, opAt(place));
  assert.equal(order.seen, 1_001);
  order.note(1, opAt(1));
  assert.equal(taken(order).length, 1_001);
  assert.equal(order.full, false);
});

test(`a new room begins after what was done under its id`, () => {
  const order = new OpOrder(0);
  order.beginAfter(12);
  order.note(13, opAt(13));
  assert.deepEqual([taken(order), order.seen], [[13], 13]);
});

test(`any mix of answers, repetitions and pages gives each committed one once, in order (SEED=${seed})`, () => {
  const places = fc.array(fc.boolean(), { minLength: 1, maxLength: 30 });
  const steps = fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 120 });
  fc.assert(
    fc.property(places, steps, fc.nat(), (committed, mix, from) => {
      const first = from % (committed.length + 1);
      const order = new OpOrder(first);
      const given: number[] = [];
      const wanted = committed.flatMap((yes, index) => (yes && index >= first ? [index + 1] : []));
      const tell = (index: number, page: boolean) => {
        const place = index + 1;
        if (!page) order.note(place, committed[index] ? opAt(place) : undefined);
        else {
          const ops = wanted.filter((one) => one > order.delivered && one <= place).map(opAt);
          order.learn({ ops, upTo: Math.max(place, order.delivered), more: false });
        }
        given.push(...taken(order));
      };
      for (const [at, page] of mix) tell(at % committed.length, page);
      committed.forEach((_, index) => {
        tell(index, false);
      });
      assert.deepEqual(given, wanted);
    }),
    { seed },
  );
});
