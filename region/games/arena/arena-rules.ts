/**
 * The rules of the arena: run, pick up coins, bank them. Plain steps on the state; chance and entity
 * ids are passed in. Those of gems are in `gem-rules.ts`.
 *
 * Invariant: no coin is lost or made up. In a round, what was minted is what lies about, what is carried,
 * what is set aside for who is gone, and what was banked, whoever comes, drops out or leaves meanwhile.
 */
import {
  BANKS,
  CARRIED_MAX,
  directionOf,
  HEIGHT,
  isWithin,
  move,
  PLAYER_RADIUS,
  type Point,
  WIDTH,
} from "./arena-map.ts";
import { ArenaPlayer, type ArenaState, Coin, Gem } from "./arena-state.ts";

export const ROUND_SECONDS = 90;
export const RESULTS_SECONDS = 8;
/** Coins that should lie about; more players, more coins. */
export const COINS_MIN = 24;
export const COINS_PER_PLAYER = 1;
/** At most one a tick comes up until there are enough. */
export const COIN_REACH = PLAYER_RADIUS + 14;
export const COIN_WORTH = 1;
/** Where a coin would come up it is a gem, one time in so many. */
export const GEM_ONE_IN = 40;
/** At most so many lie about; each that is picked up is an item at the core. */
export const GEMS_MAX = 3;
/** A tick that was held up moves nobody further than this, ms. */
export const TICK_MS_MAX = 200;

/** What the rules need besides the state. */
export interface Chance {
  /** From 0 to 1 (exclusive). */
  random(): number;
  /** Never the same twice in a room's life. */
  nextEntityId(): string;
}

export interface Push {
  readonly input: number;
  readonly x: number;
  readonly y: number;
}

export function enter(state: ArenaState, sessionId: string, name: string, chance: Chance): void {
  const { x, y } = placeAtRandom(chance);
  const hue = freeHue(state, chance);
  state.players.set(sessionId, new ArenaPlayer({ name, hue, x, y }));
}

/** What the leaver carried falls to the ground around them. */
export function leave(state: ArenaState, sessionId: string, chance: Chance): void {
  const player = state.players.get(sessionId);
  if (!player) return;
  for (let left = player.carried; left > 0; left -= COIN_WORTH) {
    placeCoin(state, near(player, chance), COIN_WORTH, chance);
  }
  state.players.delete(sessionId);
}

/**
 * Takes out a player who may come back this round, with what they carried set aside. Whose it is, their
 * `purse` says.
 */
export function setAside(state: ArenaState, sessionId: string): void {
  state.setAside += state.players.get(sessionId)?.carried ?? 0;
  state.players.delete(sessionId);
}

/**
 * Gives a player who came back what their purse says they carried. It is never more than was set aside, so
 * that no coin is made up: a purse can be newer than the room. One that says 7 where the room was restored to
 * before means coins that lie on the ground there.
 */
export function bringBack(state: ArenaState, player: ArenaPlayer, carried: number): void {
  const back = Math.min(carried, state.setAside, CARRIED_MAX - player.carried);
  state.setAside -= back;
  player.carried += back;
}

/** The core paid that much for the round; it pays once for each stay. */
export function paid(state: ArenaState, round: number, sessionId: string, coins: number): void {
  const player = state.players.get(sessionId);
  if (player && round === state.round) player.paid = coins;
}

export function drop(player: ArenaPlayer): void {
  player.connected = false;
  player.directionX = 0;
  player.directionY = 0;
}

export function resume(player: ArenaPlayer): void {
  player.connected = true;
}

export function rename(player: ArenaPlayer, name: string): void {
  player.name = name;
}

/** Takes a player's wish; older ones that come late are ignored. */
export function steer(player: ArenaPlayer, push: Push): void {
  if (push.input <= player.lastInput) return;
  const { x, y } = directionOf(push.x, push.y);
  player.lastInput = push.input;
  player.directionX = x;
  player.directionY = y;
  if (x !== 0 || y !== 0) player.facing = Math.atan2(y, x);
}

/** One step of the world, `dtMs` long. */
export function tick(state: ArenaState, dtMs: number, chance: Chance): void {
  const stepMs = Math.min(dtMs, TICK_MS_MAX);
  for (const player of state.players.values()) {
    const direction = { x: player.directionX, y: player.directionY };
    const { x, y } = move(player, direction, stepMs);
    // An unchanged value would still be sent.
    if (x !== player.x) player.x = x;
    if (y !== player.y) player.y = y;
  }
  if (state.phase !== "play") return;
  for (const player of state.players.values()) {
    if (!player.connected) continue;
    pickUp(state, player);
    bank(state, player);
  }
  const wanted = COINS_MIN + state.players.size * COINS_PER_PLAYER;
  if (state.coins.size < wanted) mint(state, chance);
}

export function beginRound(state: ArenaState, round: number): void {
  state.phase = "play";
  state.round = round;
  state.secondsLeft = ROUND_SECONDS;
  state.minted = 0;
  state.banked = 0;
  state.setAside = 0;
  state.coins.clear();
  for (const player of state.players.values()) {
    player.carried = 0;
    player.score = 0;
    player.paid = 0;
  }
}

export function endRound(state: ArenaState): void {
  state.phase = "results";
  state.secondsLeft = RESULTS_SECONDS;
}

/** Best first; who came first, first among equals. */
export function ranking(state: ArenaState): ArenaPlayer[] {
  return [...state.players.values()].sort((a, b) => b.score - a.score);
}

function pickUp(state: ArenaState, player: ArenaPlayer): void {
  for (const [id, coin] of state.coins.entries()) {
    if (player.carried + coin.worth > CARRIED_MAX) continue;
    if (!isWithin(player, coin, COIN_REACH)) continue;
    player.carried += coin.worth;
    state.coins.delete(id);
  }
}

function bank(state: ArenaState, player: ArenaPlayer): void {
  if (player.carried === 0) return;
  if (!BANKS.some((zone) => isWithin(player, zone, zone.radius))) return;
  player.score += player.carried;
  state.banked += player.carried;
  player.carried = 0;
}

function mint(state: ArenaState, chance: Chance): void {
  const place = placeAtRandom(chance);
  if (chance.random() * GEM_ONE_IN < 1 && state.gems.size < GEMS_MAX) {
    const gem = new Gem({ x: Math.round(place.x), y: Math.round(place.y) });
    state.gems.set(chance.nextEntityId(), gem);
    return;
  }
  state.minted += COIN_WORTH;
  placeCoin(state, place, COIN_WORTH, chance);
}

function placeCoin(state: ArenaState, { x, y }: Point, worth: number, chance: Chance): void {
  const coin = new Coin({ x: Math.round(x), y: Math.round(y), worth });
  state.coins.set(chance.nextEntityId(), coin);
}

function placeAtRandom({ random }: Chance): Point {
  const margin = 3 * PLAYER_RADIUS;
  return {
    x: margin + random() * (WIDTH - 2 * margin),
    y: margin + random() * (HEIGHT - 2 * margin),
  };
}

function near(point: Point, { random }: Chance): Point {
  const angle = random() * 2 * Math.PI;
  const distanceMs = random() * 400;
  return move(point, { x: Math.cos(angle), y: Math.sin(angle) }, distanceMs);
}

/** The golden angle keeps colours apart, whoever came before. */
function freeHue(state: ArenaState, { random }: Chance): number {
  const used = new Set([...state.players.values()].map((player) => player.hue));
  let hue = Math.floor(random() * 360);
  for (let tries = 0; used.has(hue) && tries < 360; tries += 1) hue = (hue + 137) % 360;
  return hue;
}
