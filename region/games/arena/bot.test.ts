import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Random } from "../../rooms/random.ts";
import { BANKS, CARRIED_MAX, isWithin, SPEED } from "./arena-map.ts";
import * as rules from "./arena-rules.ts";
import { ArenaState, Coin } from "./arena-state.ts";
import { type BotSelf, decide, type Goal, LOOK_EVERY_MS } from "./bot.ts";

const TICK_MS = 50;
const TICKS_A_LOOK = LOOK_EVERY_MS / TICK_MS;

function arena(coins: Readonly<Record<string, Coin>> = {}): ArenaState {
  const state = new ArenaState();
  rules.beginRound(state, 1);
  for (const [id, coin] of Object.entries(coins)) state.coins.set(id, coin);
  return state;
}

function bot(self: Partial<BotSelf> = {}): BotSelf {
  return { x: 1_000, y: 600, carried: 0, goal: undefined, ...self };
}

/** Neither a stroll nor, with a bag that is not full, a bank; the nearest coin. */
const plainDice = () => {
  const dice = [0.99, 0.99, 0];
  return () => dice.shift() ?? 0;
};

/** Runs a room of bots for one round. @returns what each banked, and all pushes */
function playRound(seed: number, bots: number) {
  const random = Random.fromSeed(seed);
  const state = arena();
  let entities = 0;
  const chance = { random: () => random.float(), nextEntityId: () => `e${entities++}` };
  const goals = new Map<string, Goal>();
  for (let n = 0; n < bots; n += 1) rules.enter(state, `bot ${n}`, `bot ${n}`, chance);
  const pushes: { x: number; y: number }[] = [];
  const ticks = (rules.ROUND_SECONDS * 1_000) / TICK_MS;
  for (let tick = 0; tick < ticks; tick += 1) {
    state.secondsLeft = rules.ROUND_SECONDS - Math.floor((tick * TICK_MS) / 1_000);
    for (const [id, player] of tick % TICKS_A_LOOK === 0 ? state.players : []) {
      const { x, y, carried } = player;
      const decision = decide(state, { x, y, carried, goal: goals.get(id) }, chance.random);
      goals.set(id, decision.goal);
      pushes.push(decision.push);
      rules.steer(player, { input: tick + 1, ...decision.push });
    }
    rules.tick(state, TICK_MS, chance);
  }
  return { state, pushes };
}

test("whatever the dice, every bot banks coins in a round, and pushes no harder than a player", () => {
  const cases = fc.tuple(fc.integer(), fc.integer({ min: 1, max: 10 }));
  fc.assert(
    fc.property(cases, ([seed, bots]) => {
      const { state, pushes } = playRound(seed, bots);
      for (const { name, score } of state.players.values()) {
        assert.ok(score > 0, `${name} banked nothing`);
      }
      for (const { x, y } of pushes) assert.ok(Math.hypot(x, y) <= 1.01, `${x}, ${y}`);
    }),
    { numRuns: 20 },
  );
});

test("a bot runs to a near coin, and keeps to it while it lies there", () => {
  const state = arena({
    near: new Coin({ x: 1_200, y: 600, worth: 1 }),
    far: new Coin({ x: 1_900, y: 600, worth: 1 }),
  });
  const { goal, push } = decide(state, bot(), plainDice());
  assert.deepEqual(goal, { kind: "coin", coinId: "near" });
  assert.deepEqual(push, { x: 1, y: 0 });

  state.coins.set("nearer", new Coin({ x: 1_010, y: 600, worth: 1 }));
  assert.equal(decide(state, bot({ goal }), plainDice()).goal, goal);
  state.coins.delete("near");
  const { goal: next } = decide(state, bot({ goal }), plainDice());
  assert.deepEqual(next, { kind: "coin", coinId: "nearer" });
});

test("a coin that does not fit into the bag is left to others", () => {
  const state = arena({
    rare: new Coin({ x: 1_010, y: 600, worth: 5 }),
    plain: new Coin({ x: 1_300, y: 600, worth: rules.COIN_WORTH }),
  });
  const { goal } = decide(state, bot({ carried: CARRIED_MAX - 1 }), plainDice());
  assert.deepEqual(goal, { kind: "coin", coinId: "plain" });
});

test("a full bag goes to the nearest bank, whatever else was planned", () => {
  const state = arena({ c1: new Coin({ x: 1_010, y: 600, worth: 1 }) });
  const goal: Goal = { kind: "coin", coinId: "c1" };
  const decision = decide(state, bot({ carried: CARRIED_MAX, goal }), () => 0.5);
  assert.equal(decision.goal.kind, "bank");
  const [nearest] = BANKS;
  assert.ok(nearest && "place" in decision.goal);
  assert.ok(isWithin(decision.goal.place, nearest, nearest.radius));
  assert.ok(decision.push.y < -0.8, "the bank is up north");
});

test("what is carried is banked before the round ends", () => {
  const state = arena({ c1: new Coin({ x: 1_010, y: 600, worth: 1 }) });
  const self = bot({ carried: 1, goal: { kind: "coin", coinId: "c1" } });
  state.secondsLeft = 60;
  assert.equal(decide(state, self, plainDice()).goal.kind, "coin");
  state.secondsLeft = 4;
  assert.equal(decide(state, self, plainDice()).goal.kind, "bank");
});

test("while the results are shown, bots only stroll", () => {
  const state = arena({ c1: new Coin({ x: 1_010, y: 600, worth: 1 }) });
  rules.endRound(state);
  const self = bot({ carried: 5, goal: { kind: "coin", coinId: "c1" } });
  assert.equal(decide(state, self, plainDice()).goal.kind, "stroll");
});

test("near its goal a bot slows down instead of running past it", () => {
  const state = arena();
  const goal: Goal = { kind: "stroll", place: { x: 1_021, y: 600 } };
  const { push } = decide(state, bot({ goal }), plainDice());
  assert.equal(push.x, 0.5);
  assert.equal((push.x * SPEED * LOOK_EVERY_MS) / 1_000, 21);
});

test("deciding changes nothing, and the same dice give the same decision", () => {
  const state = arena({ c1: new Coin({ x: 400, y: 300, worth: 1 }) });
  const before = JSON.stringify(state);
  const decisions = [1, 1].map((seed) => {
    const random = Random.fromSeed(seed);
    return decide(state, bot({ carried: 3 }), () => random.float());
  });
  assert.deepEqual(decisions[0], decisions[1]);
  assert.equal(JSON.stringify(state), before);
});
