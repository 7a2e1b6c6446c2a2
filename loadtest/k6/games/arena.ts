/**
 * The arena: players run for coins and bank them, as its bots do. Verified at each decoded state:
 *
 * - No coin is lost or made up: what was minted is what lies, is carried, is set aside and was banked. One patch that
 *   is missing, doubled or applied in the wrong order breaks this sooner or later.
 * - Everybody is on the ground, and nobody is faster than one can be.
 * - One's own last input never falls, and is one that was sent.
 * - The round's time runs.
 */
import type { Schema } from "@colyseus/schema";
import {
  HEIGHT,
  PLAYER_RADIUS,
  type Point,
  SPEED,
  WIDTH,
} from "../../../region/games/arena/arena-map.ts";
import type { ArenaState } from "../../../region/games/arena/arena-state.ts";
import { decide, type Goal, LOOK_EVERY_MS } from "../../../region/games/arena/bot.ts";
import type { Game, GamePlay, Message, Owed, Violation } from "./game.ts";

const CURRENCY = "coin";
/** Positions are rounded to float32. */
const ROUNDING = 0.01;
/** A stretch over which speed is judged: short ones say nothing, because patches come in bursts. */
const STRETCH_MS = 5_000;
/** By how much a stretch may be shorter here than it was in the room. */
const BURST_MS = 1_500;
/** The room tells of each second; after so long without one it stands still. */
const STILL_MS = 6_000;

/** The way that somebody ran since a moment. */
interface Run {
  x: number;
  y: number;
  sinceMs: number;
  way: number;
}

export const arena: Game = {
  lookEveryMs: LOOK_EVERY_MS,
  balanceIn(type, payload) {
    if (type !== "paid" || typeof payload !== "object" || payload === null) return undefined;
    const { balance } = payload as { readonly balance?: unknown };
    return { currency: CURRENCY, amount: Number(balance) };
  },
  begin: (sessionId, random) => new ArenaPlay(sessionId, random),
};

class ArenaPlay implements GamePlay {
  readonly #sessionId: string;
  readonly #random: () => number;
  #goal: Goal | undefined;
  #sent = 0;
  #lastInput = 0;
  readonly #runs = new Map<string, Run>();
  /** Rounds and seconds, as one number that rises. */
  #time = 0;
  #roseAtMs = 0;
  /** What was banked, by round. */
  readonly #scores = new Map<number, number>();

  constructor(sessionId: string, random: () => number) {
    this.#sessionId = sessionId;
    this.#random = random;
  }

  look(given: Schema | undefined, input: number): Message {
    this.#sent = input;
    const state = given as ArenaState | undefined;
    const own = state?.players.get(this.#sessionId);
    if (!state || !own) return move(input, this.#random() * 2 - 1, this.#random() * 2 - 1);
    const { x, y, carried } = own;
    const { push, goal } = decide(state, { x, y, carried, goal: this.#goal }, this.#random);
    this.#goal = goal;
    return move(input, clamp(push.x), clamp(push.y));
  }

  echoed(state: Schema): number | undefined {
    return (state as ArenaState).players.get(this.#sessionId)?.lastInput;
  }

  verify(given: Schema, atMs: number): readonly Violation[] {
    const state = given as ArenaState;
    const found = [coinsAreKept(state), this.#inputsAreOwn(state), this.#timeRuns(state, atMs)];
    state.players.forEach((player, session) => {
      found.push(this.#isPossible(session, player, atMs));
    });
    for (const session of this.#runs.keys()) {
      if (!state.players.has(session)) this.#runs.delete(session);
    }
    const own = state.players.get(this.#sessionId);
    if (own) this.#scores.set(state.round, own.score);
    return found.filter((violation) => violation !== undefined);
  }

  broke(): void {
    this.#runs.clear();
    this.#time = 0;
    this.#roseAtMs = 0;
    this.#lastInput = 0;
  }

  owed(): Owed {
    const amount = [...this.#scores.values()].reduce((sum, score) => sum + score, 0);
    return { currency: CURRENCY, amount };
  }

  #inputsAreOwn(state: ArenaState): Violation | undefined {
    const own = state.players.get(this.#sessionId);
    if (!own) return { kind: "wrong_state", words: "one's own entity is gone" };
    const { lastInput } = own;
    const isRight = lastInput >= this.#lastInput && lastInput <= this.#sent;
    const words = `last input ${lastInput}, before ${this.#lastInput}, sent ${this.#sent}`;
    this.#lastInput = lastInput;
    return isRight ? undefined : { kind: "wrong_state", words };
  }

  #timeRuns({ round, phase, secondsLeft }: ArenaState, atMs: number): Violation | undefined {
    // A round is play, then results; each counts its seconds down, from below 256.
    const time = round * 512 + (phase === "play" ? 255 : 511) - secondsLeft;
    if (time < this.#time) {
      return {
        kind: "clock",
        words: `round ${round}, ${phase}, ${secondsLeft} s: earlier than before`,
      };
    }
    if (time > this.#time || this.#roseAtMs === 0) {
      this.#time = time;
      this.#roseAtMs = atMs;
      return undefined;
    }
    if (atMs - this.#roseAtMs < STILL_MS) return undefined;
    this.#roseAtMs = atMs;
    return { kind: "clock", words: `no second went by in ${STILL_MS} ms` };
  }

  #isPossible(session: string, { x, y }: Point, atMs: number): Violation | undefined {
    if (!isWithin(x, WIDTH) || !isWithin(y, HEIGHT)) {
      return { kind: "wrong_state", words: `${session} is at ${x}, ${y}` };
    }
    const run = this.#runs.get(session);
    if (!run) {
      this.#runs.set(session, { x, y, sinceMs: atMs, way: 0 });
      return undefined;
    }
    const { sinceMs } = run;
    const way = run.way + Math.hypot(x - run.x, y - run.y);
    const isOver = atMs - sinceMs >= STRETCH_MS;
    Object.assign(run, { x, y }, isOver ? { sinceMs: atMs, way: 0 } : { way });
    const wayMax = (SPEED * (atMs - sinceMs + BURST_MS)) / 1_000;
    if (way <= wayMax) return undefined;
    const words = `${session} ran ${Math.round(way)} in ${Math.round(atMs - sinceMs)} ms`;
    return { kind: "too_fast", words: `${words}, ${Math.round(wayMax)} at most` };
  }
}

function coinsAreKept(state: ArenaState): Violation | undefined {
  const { minted, banked, setAside } = state;
  let worth = banked + setAside;
  state.coins.forEach((coin) => {
    worth += coin.worth;
  });
  state.players.forEach(({ carried }) => {
    worth += carried;
  });
  if (worth === minted) return undefined;
  return { kind: "wrong_state", words: `${minted} coins were minted, and there are ${worth}` };
}

function isWithin(value: number, size: number): boolean {
  return value >= PLAYER_RADIUS - ROUNDING && value <= size - PLAYER_RADIUS + ROUNDING;
}

function move(input: number, x: number, y: number): Message {
  return { type: "move", payload: { input, x, y } };
}

function clamp(value: number): number {
  return Math.min(1, Math.max(-1, value));
}
