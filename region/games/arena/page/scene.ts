/** What is to be seen: the room's states, turned into places to draw at any moment between them. */
import type { Point } from "../arena-map.ts";
import type { ArenaState } from "../arena-state.ts";
import { Effects } from "./effects.ts";
import { Interpolation } from "./interpolation.ts";
import { Prediction } from "./prediction.ts";

export interface Figure extends Point {
  readonly id: string;
  readonly name: string;
  readonly hue: number;
  readonly facing: number;
  readonly carried: number;
  readonly score: number;
  readonly connected: boolean;
  readonly me: boolean;
}

export class Scene {
  readonly effects: Effects;
  readonly prediction = new Prediction();
  readonly #others = new Interpolation();
  #state: ArenaState | undefined;
  #me = "";
  /** What lay there in the state before, and perhaps does no more. */
  #coins = new Map<string, Point>();
  #gems = new Map<string, Point>();
  #scores = new Map<string, number>();
  #round = 0;

  constructor(random: () => number, quiet: boolean) {
    this.effects = new Effects(random, quiet);
  }

  get state(): ArenaState | undefined {
    return this.#state;
  }

  /** Another room: what was known of the former one is void. */
  reset(): void {
    this.prediction.reset();
    this.#state = undefined;
    this.#coins.clear();
    this.#gems.clear();
    this.#scores.clear();
  }

  /** @param me one's own session */
  told(state: ArenaState, me: string, nowMs: number): void {
    this.#state = state;
    this.#me = me;
    this.#others.told(state.players.entries(), nowMs);
    const own = state.players.get(me);
    if (own) this.prediction.told(own, own.lastInput, nowMs);
    if (state.round === this.#round) {
      this.#showPicked(state, nowMs);
      this.#showBanked(state, nowMs);
    }
    this.#round = state.round;
    this.#coins = new Map([...state.coins.entries()].map(([id, { x, y }]) => [id, { x, y }]));
    this.#gems = new Map(lyingGems(state).map(([id, { x, y }]) => [id, { x, y }]));
    this.#scores = new Map([...state.players.entries()].map(([id, { score }]) => [id, score]));
  }

  /** Everybody, in the order in which to draw them: oneself on top. */
  figures(nowMs: number): Figure[] {
    const figures: Figure[] = [];
    for (const [id, player] of this.#state?.players.entries() ?? []) {
      const me = id === this.#me;
      const place = (me ? this.prediction.at(nowMs) : this.#others.at(id, nowMs)) ?? player;
      const { name, hue, facing, carried, score, connected } = player;
      figures.push({
        id,
        me,
        name,
        hue,
        facing,
        carried,
        score,
        connected,
        x: place.x,
        y: place.y,
      });
    }
    return figures.sort((a, b) => Number(a.me) - Number(b.me) || a.y - b.y);
  }

  #showPicked(state: ArenaState, nowMs: number): void {
    for (const [id, coin] of this.#coins) {
      if (!state.coins.has(id)) this.effects.picked(coin, "coin", nowMs);
    }
    const lying = new Map(lyingGems(state));
    for (const [id, gem] of this.#gems) {
      if (!lying.has(id)) this.effects.picked(gem, "gem", nowMs);
    }
  }

  #showBanked(state: ArenaState, nowMs: number): void {
    for (const [id, player] of state.players.entries()) {
      const before = this.#scores.get(id);
      if (before === undefined) this.effects.appeared(player, player.hue, nowMs);
      else if (player.score > before) {
        this.effects.banked(player, player.score - before, nowMs);
      }
    }
  }
}

function lyingGems(state: ArenaState): (readonly [string, Point])[] {
  return [...state.gems.entries()].filter(([, { taker }]) => taker === "");
}
