import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BANKS, CARRIED_MAX, HEIGHT, PLAYER_RADIUS, SPEED, WIDTH } from "./arena-map.ts";
import * as rules from "./arena-rules.ts";
import { type ArenaPlayer, ArenaState, Coin } from "./arena-state.ts";

/** float32 fields round what they are given. */
const ROUNDING = 0.001;

function seededChance(seed: number): rules.Chance {
  let state = seed >>> 0;
  let entities = 0;
  return {
    random: () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    },
    nextEntityId: () => `e${entities++}`,
  };
}

function arenaWith(...sessions: string[]): { state: ArenaState; chance: rules.Chance } {
  const state = new ArenaState();
  const chance = seededChance(1);
  rules.beginRound(state, 1);
  for (const session of sessions) rules.enter(state, session, session, chance);
  return { state, chance };
}

function playerOf(state: ArenaState, session: string): ArenaPlayer {
  const player = state.players.get(session);
  assert.ok(player, `${session} is in the arena`);
  return player;
}

function worthOf(state: ArenaState): number {
  const lying = [...state.coins.values()].reduce((sum, coin) => sum + coin.worth, 0);
  const carried = [...state.players.values()].reduce((sum, { carried }) => sum + carried, 0);
  return lying + carried + state.setAside + state.banked;
}

const session = fc.constantFrom("a", "b", "c", "d");
const push = fc.double({ min: -1, max: 1, noNaN: true });
const someEvent = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("tick" as const), dtMs: fc.nat(400) }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("steer" as const), session, x: push, y: push }),
  },
  fc.record({ type: fc.constantFrom("enter", "leave", "setAside", "drop", "resume"), session }),
  fc.record({ type: fc.constant("bringBack" as const), session, carried: fc.nat(30) }),
  fc.record({ type: fc.constantFrom("endRound", "beginRound") }),
);
type SomeEvent = typeof someEvent extends fc.Arbitrary<infer T> ? T : never;

test("whatever happens: no coin is lost or made up, nobody leaves the ground or is too fast", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.array(someEvent, { minLength: 100, maxLength: 300 }),
      (seed, events) => {
        const state = new ArenaState();
        const chance = seededChance(seed);
        rules.beginRound(state, 1);
        for (const [sequence, event] of events.entries()) {
          const before = new Map([...state.players].map(([id, { x, y }]) => [id, { x, y }]));
          apply(state, chance, event, sequence + 1);
          assert.equal(worthOf(state), state.minted);
          if (!("dtMs" in event)) continue;
          for (const [id, player] of state.players) checkMove(player, before.get(id), event.dtMs);
        }
      },
    ),
  );
});

function apply(state: ArenaState, chance: rules.Chance, event: SomeEvent, sequence: number): void {
  const player = "session" in event ? state.players.get(event.session) : undefined;
  if (event.type === "tick" && "dtMs" in event) rules.tick(state, event.dtMs, chance);
  if (event.type === "endRound") rules.endRound(state);
  if (event.type === "beginRound") rules.beginRound(state, state.round + 1);
  if (!("session" in event)) return;
  if (event.type === "enter" && !player) rules.enter(state, event.session, "name", chance);
  if (event.type === "leave") rules.leave(state, event.session, chance);
  if (event.type === "setAside") rules.setAside(state, event.session);
  if ("carried" in event && player) rules.bringBack(state, player, event.carried);
  if (event.type === "drop" && player) rules.drop(player);
  if (event.type === "resume" && player) rules.resume(player);
  if ("x" in event && player) rules.steer(player, { input: sequence, x: event.x, y: event.y });
}

function checkMove(player: ArenaPlayer, from: { x: number; y: number } | undefined, dtMs: number) {
  assert.ok(player.x >= PLAYER_RADIUS && player.x <= WIDTH - PLAYER_RADIUS, `x ${player.x}`);
  assert.ok(player.y >= PLAYER_RADIUS && player.y <= HEIGHT - PLAYER_RADIUS, `y ${player.y}`);
  if (!from) return;
  const distance = Math.hypot(player.x - from.x, player.y - from.y);
  assert.ok(distance <= (SPEED * dtMs) / 1000 + ROUNDING, `${distance} in ${dtMs} ms`);
}

test("a coin within reach is carried, then banked in a zone", () => {
  const { state, chance } = arenaWith("a");
  const player = playerOf(state, "a");
  const [zone] = BANKS;
  assert.ok(zone);
  Object.assign(player, { x: 1_000, y: 600 });
  state.coins.set("c1", new Coin({ x: 1_010, y: 600, worth: 5 }));
  state.minted += 5;
  rules.tick(state, 50, chance);
  assert.equal(player.carried, 5);
  assert.equal(state.coins.has("c1"), false);
  assert.equal(player.score, 0);

  Object.assign(player, { x: zone.x, y: zone.y });
  rules.tick(state, 50, chance);
  assert.equal(player.carried, 0);
  assert.equal(player.score, 5);
});

test("nobody carries more than the limit; what is too much stays where it lies", () => {
  const { state, chance } = arenaWith("a");
  const player = playerOf(state, "a");
  Object.assign(player, { x: 1_000, y: 600, carried: CARRIED_MAX - 1 });
  state.coins.set("big", new Coin({ x: 1_000, y: 600, worth: 5 }));
  rules.tick(state, 50, chance);
  assert.equal(player.carried, CARRIED_MAX - 1);
  assert.ok(state.coins.has("big"));
});

test("who comes back gets what was set aside, however much they say it was", () => {
  const { state, chance } = arenaWith("a", "b");
  for (const [session, carried] of Object.entries({ a: 7, b: 2 })) {
    playerOf(state, session).carried = carried;
    state.minted += carried;
  }
  rules.setAside(state, "a");
  rules.bringBack(state, playerOf(state, "b"), 0);
  assert.equal(playerOf(state, "b").carried, 2);
  rules.enter(state, "again", "a", chance);
  rules.bringBack(state, playerOf(state, "again"), 9);
  assert.equal(playerOf(state, "again").carried, 7);
  assert.equal(worthOf(state), state.minted);
});

test("an input that arrives after a newer one is ignored", () => {
  const { state } = arenaWith("a");
  const player = playerOf(state, "a");
  rules.steer(player, { input: 2, x: 1, y: 0 });
  rules.steer(player, { input: 1, x: -1, y: 0 });
  assert.equal(player.directionX, 1);
  assert.equal(player.lastInput, 2);
});

test("a dropped player stands still and picks up nothing, and goes on after the return", () => {
  const { state, chance } = arenaWith("a");
  const player = playerOf(state, "a");
  Object.assign(player, { x: 1_000, y: 600 });
  rules.steer(player, { input: 1, x: 1, y: 0 });
  rules.drop(player);
  state.coins.set("c1", new Coin({ x: 1_000, y: 600, worth: 1 }));
  rules.tick(state, 50, chance);
  assert.equal(player.x, 1_000);
  assert.equal(player.carried, 0);
  rules.resume(player);
  rules.tick(state, 50, chance);
  assert.equal(player.carried, 1);
});

test("a new round starts from nothing; the ranking is by score", () => {
  const { state } = arenaWith("a", "b");
  playerOf(state, "b").score = 3;
  playerOf(state, "a").carried = 2;
  assert.deepEqual(
    rules.ranking(state).map(({ name }) => name),
    ["b", "a"],
  );
  rules.beginRound(state, 2);
  assert.deepEqual(
    [...state.players.values()].map(({ score, carried }) => score + carried),
    [0, 0],
  );
  assert.equal(state.round, 2);
});

test("the same seed gives the same coins", () => {
  const runs = [7, 7, 8].map((seed) => {
    const state = new ArenaState();
    const chance = seededChance(seed);
    rules.beginRound(state, 1);
    for (let step = 0; step < rules.COINS_MIN; step += 1) rules.tick(state, 50, chance);
    return JSON.stringify(state.coins);
  });
  assert.equal(runs[0], runs[1]);
  assert.notEqual(runs[0], runs[2]);
});
