/**
 * A player who is followed: a guest who plays the traced arena through the client SDK as a bot does, sends an input
 * at each look, and notes what it sees. Where its room can't be had back it looks for another, as a person would.
 */
import { decide, type Goal, LOOK_EVERY_MS } from "../../region/games/arena/bot.ts";
import { type Backoff, backoffMs, type RetryBudget } from "../../shared/client/backoff.ts";
import type { Connection } from "../../shared/client/connection.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { type Leg, progressOf } from "./leg.ts";
import { LegKeeper } from "./leg-keeper.ts";
import { CoinMessage } from "./traced-messages.ts";
import type { TracedState } from "./traced-state.ts";

const GAME = "arena";
/** All of them log in from one address. */
const LOG_IN_BUDGET: RetryBudget = { attemptsMax: 60, totalMs: 120_000 };
const AGAIN: Backoff = { firstMs: 500, mostMs: 4_000 };
/** Coins' operations that nobody took yet. */
const COINS_MAX = 10_000;

export interface FollowedPlayerOptions {
  /** The core's. */
  readonly url: string;
  readonly name: string;
  /** The region to insist on at the first join; none: the best one. */
  readonly region?: string;
  readonly clock: Clock;
  /** Answers a number from 0 to 1 (exclusive). */
  readonly random: () => number;
}

/** A coin that the player was told is theirs. */
export interface ToldCoin {
  readonly id: string;
  readonly playerId: string;
}

export class FollowedPlayer {
  readonly #options: FollowedPlayerOptions;
  readonly #keeper = new LegKeeper();
  readonly #meridian: Meridian;
  #play: Play<TracedState> | undefined;
  #goal: Goal | undefined;
  #inputs = 0;
  #coins: ToldCoin[] = [];
  #hasJoined = false;

  constructor(options: FollowedPlayerOptions) {
    this.#options = options;
    const { url, clock, random } = options;
    this.#meridian = new Meridian({ url, clock, random, logInBudget: LOG_IN_BUDGET });
  }

  /** The leg on which it plays now, its inputs heard; undefined otherwise. */
  get playing(): Leg | undefined {
    const isPlaying = this.#play?.connection.phase === "playing" && this.#keeper.isEchoed;
    return isPlaying ? this.#keeper.current : undefined;
  }

  /** Since it was asked before. */
  take(): { readonly legs: readonly Leg[]; readonly coins: readonly ToldCoin[] } {
    const coins = this.#coins;
    this.#coins = [];
    return { legs: this.#keeper.take(), coins };
  }

  /** Plays until the signal, then leaves; resolves when the room has let go. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    for (let failures = 1; !signal.aborted; failures += 1) {
      const play = await this.#enter(signal);
      if (play) {
        failures = 0;
        await this.#stay(play, signal);
      }
      await sleep(clock, backoffMs(Math.max(1, failures), AGAIN, random()), signal);
    }
  }

  async #enter(signal: AbortSignal): Promise<Play<TracedState> | undefined> {
    const { name, region } = this.#options;
    try {
      if (!this.#meridian.player) await this.#meridian.logIn({ name });
      const insist = region !== undefined && !this.#hasJoined;
      const play = await this.#meridian.join<TracedState>(GAME, {
        ...(insist && { region }),
        signal,
      });
      this.#hasJoined = true;
      return play;
    } catch (error) {
      if (isFailure(error)) return undefined;
      throw error;
    }
  }

  /** Until the room is gone or the signal comes. */
  async #stay(play: Play<TracedState>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#play = play;
    this.#goal = undefined;
    const cancels = [
      play.onChange((state) => this.#see(play, state)),
      play.onMessage("coin", (payload) => this.#heardCoin(payload)),
      play.onConnection((connection) => this.#connectionChanged(play, connection)),
      clock.every(LOOK_EVERY_MS, () => this.#look(play)),
    ];
    this.#began(play);
    await over(play, signal);
    for (const cancel of cancels) cancel();
    if (signal.aborted) await play.leave();
    this.#keeper.end({ how: "left", why: "asked" });
    this.#play = undefined;
  }

  #connectionChanged(play: Play<TracedState>, connection: Connection): void {
    switch (connection.phase) {
      case "playing":
        // After a mere doubt the connection is the same one.
        if (!this.#keeper.current) this.#began(play);
        break;
      case "suspect":
        break;
      case "lost":
      case "failed":
        this.#keeper.end({ how: "broke" });
        this.#noteLost(play, connection.error.kind);
        break;
      case "left":
        this.#keeper.end({ how: "left", why: connection.reason });
        break;
      default:
        this.#keeper.end({ how: "broke" });
    }
  }

  #began(play: Play<TracedState>): void {
    this.#keeper.begin(this.#placeOf(play));
    this.#see(play, play.state);
    this.#look(play);
  }

  /** A leg that never was: it says what became of the search for the room. */
  #noteLost(play: Play<TracedState>, why: string): void {
    this.#keeper.begin(this.#placeOf(play));
    this.#keeper.end({ how: "lost", why });
  }

  #placeOf({ seat, roomId, sessionId }: Play<TracedState>) {
    return {
      player: this.#meridian.player?.playerId ?? "",
      roomId,
      sessionId,
      regionId: seat?.regionId ?? "",
      nodeId: seat?.reservation.processId ?? "",
      beganMs: this.#options.clock.nowMs(),
    };
  }

  #see({ sessionId, connection }: Play<TracedState>, state: TracedState): void {
    const own = state.players.get(sessionId);
    const trail = state.trails.get(sessionId);
    if (!own || !trail || (connection.phase !== "playing" && connection.phase !== "suspect"))
      return;
    const { entityId, docTick, savedTick, loadedTick } = trail;
    this.#keeper.see({
      atMs: this.#options.clock.nowMs(),
      tick: state.tick,
      progress: progressOf(state.round, own.score),
      docTick,
      savedTick,
      loadedTick,
      entityId,
      bornTick: state.bornTick,
      lastInput: own.lastInput,
    });
  }

  #look(play: Play<TracedState>): void {
    const own = play.state.players.get(play.sessionId);
    if (!own || play.connection.phase !== "playing") return;
    const { x, y, carried } = own;
    const { random } = this.#options;
    const { push, goal } = decide(play.state, { x, y, carried, goal: this.#goal }, random);
    this.#goal = goal;
    const input = Math.max(this.#inputs, own.lastInput) + 1;
    if (!play.send("move", { input, ...push })) return;
    this.#inputs = input;
    this.#keeper.sent(input);
  }

  #heardCoin(payload: unknown): void {
    const { id } = CoinMessage.parse(payload);
    const playerId = this.#meridian.player?.playerId ?? "";
    if (this.#coins.length >= COINS_MAX) throw new Error("nobody takes the coins of a player");
    this.#coins.push({ id, playerId });
  }
}

/** Resolves when the stay has ended for good, or the signal came. */
function over(play: Play<TracedState>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      const { phase } = play.connection;
      if (!signal.aborted && !["lost", "left", "failed"].includes(phase)) return;
      stopListening();
      signal.removeEventListener("abort", check);
      resolve();
    };
    const stopListening = play.onConnection(check);
    signal.addEventListener("abort", check);
    check();
  });
}
