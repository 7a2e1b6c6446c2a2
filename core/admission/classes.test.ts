/** Classes share freed seats by weight; none saves up turns, and none starves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { CLASSES_DEFAULT, parseClasses, Shares, sharedClass } from "./classes.ts";

const SPECS = parseClasses(CLASSES_DEFAULT);
const SEATS_MAX = 5;

test("what is no list of classes is refused, and told why", () => {
  assert.deepEqual(
    SPECS.map(({ name }) => name),
    ["reconnect", "failover", "staff", "supporter", "normal"],
  );
  const built = "reconnect=1,failover=1,normal=1";
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["reconnect=1,failover=1", /normal is missing/],
    [`${built},normal=2`, /named twice/],
    [`${built},vip=0`, /weight of vip/],
    [`${built},vip=NaN`, /weight of vip/],
    [`${built},vip`, /weight of vip/],
    [`${built},Vip=1`, /"Vip" is no name/],
    [`${built},${Array.from({ length: 14 }, (_, n) => `c${n}=1`).join(",")}`, /16 classes/],
  ];
  for (const [text, told] of wrong) assert.throws(() => parseClasses(text), told);
});

test("over time each of those who wait gets its share of the seats, whatever comes in parties", (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  for (let round = 0; round < cases(30, 2_000); round += 1) {
    const specs = SPECS.map((spec) => ({ ...spec, weight: 1 + chance.below(50) }));
    const shares = new Shares(specs);
    const waits = specs.map(() => !chance.once(4));
    if (!waits.includes(true)) continue;
    shares.note(waits);
    const got = specs.map(() => 0);
    const gaps = specs.map(() => 0);
    const weights = specs.reduce((sum, { weight }, at) => sum + (waits[at] ? weight : 0), 0);
    for (let turn = 0; turn < 2_000; turn += 1) {
      const index = shares.next((one) => waits[one] === true);
      assert.ok(index !== undefined);
      const seats = 1 + chance.below(SEATS_MAX);
      shares.gave(index, seats);
      got[index] = (got[index] ?? 0) + seats;
      for (const [at, { weight }] of specs.entries()) {
        gaps[at] = at === index || !waits[at] ? 0 : (gaps[at] ?? 0) + seats;
        // Of stride scheduling: what others may get between two turns of a class.
        const bound = (SEATS_MAX * weights) / weight + SEATS_MAX * specs.length;
        assert.ok((gaps[at] ?? 0) <= bound, `${gaps[at]} seats passed a class, ${bound} may`);
      }
    }
    const total = got.reduce((a, b) => a + b, 0);
    for (const [at, { weight }] of specs.entries()) {
      const fair = waits[at] ? (total * weight) / weights : 0;
      const slack = SEATS_MAX * (specs.length + 1);
      assert.ok(Math.abs((got[at] ?? 0) - fair) <= slack, `class ${at}: ${got[at]}, ${fair} fair`);
    }
  }
});

test("a class that nobody waited in saves up nothing", () => {
  const shares = new Shares(SPECS);
  const [reconnect, normal] = [0, 4];
  const only = SPECS.map((_, at) => at === normal);
  shares.note(only);
  for (let n = 0; n < 500; n += 1) shares.gave(normal, 1);
  shares.note(SPECS.map((_, at) => at === normal || at === reconnect));
  const turns: (number | undefined)[] = [];
  for (let n = 0; n < 2_002; n += 1) {
    const index = shares.next((one) => one === normal || one === reconnect);
    turns.push(index);
    if (index !== undefined) shares.gave(index, 1);
  }
  const normals = turns.filter((one) => one === normal).length;
  assert.ok(normals >= 1 && normals <= 3, `${normals} of 2,002 turns at a weight of 1 to 1,000`);
});

test("nobody waits, nobody's turn", () => {
  assert.equal(
    new Shares(SPECS).next(() => false),
    undefined,
  );
});

test("a party is of the class of the one who would come last alone", () => {
  assert.equal(sharedClass(SPECS, ["supporter", "staff"]), "supporter");
  assert.equal(sharedClass(SPECS, ["reconnect", "gone-since"]), "normal");
  const odd = parseClasses("reconnect=1,failover=1,vip=9,normal=5");
  // Not by weight alone: what is kept for those whose region was lost is not for their friends.
  assert.equal(sharedClass(odd, ["failover", "vip"]), "vip");
});
