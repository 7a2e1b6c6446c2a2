/**
 * How a bot plays the arena: it fetches coins from nearby, takes them to a bank before the round ends,
 * and strolls now and then. Pure: what it sees, what it is up to and chance in; where it pushes and what
 * it is up to from then on out.
 *
 * A goal is kept until it is reached or lost to somebody else, as people do: a bot that chose anew at
 * each look would dither between two coins. Among the nearest coins chance decides, so that bots which
 * stand together don't all run for the same one.
 */
import {
  BANKS,
  CARRIED_MAX,
  isWithin,
  move,
  PLAYER_RADIUS,
  type Point,
  SPEED,
} from "./arena-map.ts";
import type { ArenaState } from "./arena-state.ts";

/** How often a bot is meant to look and decide: about as often as people correct their course. */
export const LOOK_EVERY_MS = 150;

/** One of so many nearest coins is chosen. */
const CHOICE_COINS = 3;
const STROLL_CHANCE = 0.1;
/** A stroll lasts at most this long, straight on. */
const STROLL_MS_MAX = 1_500;
/** With no more than this to spare before the round ends, what is carried goes to a bank. */
const SPARE_SECONDS = 3;
/** Within a bank a bot stops this far from the centre at most, as a share of the radius. */
const BANK_DEPTH = 0.7;
/** What a bot runs in one look; nearer to its goal it slows down so as not to overshoot. */
const STRIDE = (SPEED * LOOK_EVERY_MS) / 1_000;

export type Goal =
  | { readonly kind: "coin"; readonly coinId: string }
  | { readonly kind: "bank"; readonly place: Point }
  | { readonly kind: "stroll"; readonly place: Point };

/** The bot's own player, and what it is up to: nothing at first. */
export interface BotSelf extends Point {
  readonly carried: number;
  readonly goal: Goal | undefined;
}

export interface Decision {
  /** At most as long as 1. */
  readonly push: Point;
  readonly goal: Goal;
}

/** @param random answers a number from 0 to 1 (exclusive) */
export function decide(state: ArenaState, self: BotSelf, random: () => number): Decision {
  const goal = mustBank(state, self)
    ? bankGoal(self, random)
    : stillOpen(state, self)
      ? self.goal
      : nextGoal(state, self, random);
  return { goal, push: pushTowards(placeOf(state, goal) ?? self, self) };
}

/** Whether it is now or never, and not under way already. */
function mustBank(state: ArenaState, { x, y, carried, goal }: BotSelf): boolean {
  if (state.phase !== "play" || carried === 0 || goal?.kind === "bank") return false;
  const way = distance({ x, y }, nearestBank({ x, y }));
  return carried === CARRIED_MAX || state.secondsLeft - way / SPEED <= SPARE_SECONDS;
}

function stillOpen(state: ArenaState, self: BotSelf): self is BotSelf & { readonly goal: Goal } {
  const { goal, carried } = self;
  if (!goal) return false;
  if (goal.kind === "stroll") return !isWithin(self, goal.place, PLAYER_RADIUS);
  if (state.phase !== "play") return false;
  if (goal.kind === "bank") return carried > 0;
  const coin = state.coins.get(goal.coinId);
  return coin !== undefined && carried + coin.worth <= CARRIED_MAX;
}

/** The fuller the bag, the likelier the way leads to a bank. */
function nextGoal(state: ArenaState, self: BotSelf, random: () => number): Goal {
  if (state.phase !== "play" || random() < STROLL_CHANCE) return strollGoal(self, random);
  if (random() * CARRIED_MAX < self.carried) return bankGoal(self, random);
  const coins = nearestCoins(state, self);
  const coinId = coins[Math.floor(random() * coins.length)];
  if (coinId !== undefined) return { kind: "coin", coinId };
  return self.carried > 0 ? bankGoal(self, random) : strollGoal(self, random);
}

function bankGoal(self: Point, random: () => number): Goal {
  const bank = nearestBank(self);
  const { x, y } = directionAtRandom(random);
  const depth = random() * BANK_DEPTH * bank.radius;
  return { kind: "bank", place: { x: bank.x + x * depth, y: bank.y + y * depth } };
}

function strollGoal(self: Point, random: () => number): Goal {
  const place = move(self, directionAtRandom(random), random() * STROLL_MS_MAX);
  return { kind: "stroll", place };
}

function nearestBank(from: Point) {
  return BANKS.reduce((best, bank) => (distance(from, bank) < distance(from, best) ? bank : best));
}

/** The ids of the nearest coins that still fit into the bag. */
function nearestCoins(state: ArenaState, self: BotSelf): string[] {
  return [...state.coins.entries()]
    .filter(([, { worth }]) => self.carried + worth <= CARRIED_MAX)
    .map(([id, coin]) => ({ id, away: distance(self, coin) }))
    .sort((a, b) => a.away - b.away)
    .slice(0, CHOICE_COINS)
    .map(({ id }) => id);
}

function placeOf(state: ArenaState, goal: Goal): Point | undefined {
  return goal.kind === "coin" ? state.coins.get(goal.coinId) : goal.place;
}

/** Rounded, so that a steady course is the same push again and again and need not be sent. */
function pushTowards(place: Point, from: Point): Point {
  const away = distance(from, place);
  const scale = away > STRIDE ? 1 / away : 1 / STRIDE;
  return { x: hundredths((place.x - from.x) * scale), y: hundredths((place.y - from.y) * scale) };
}

function directionAtRandom(random: () => number): Point {
  const angle = random() * 2 * Math.PI;
  return { x: Math.cos(angle), y: Math.sin(angle) };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100;
}
