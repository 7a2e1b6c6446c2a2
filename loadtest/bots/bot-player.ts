/**
 * One bot: a guest of its own that joins the arena through the client SDK, plays, and when its room is
 * gone looks for another, until it is told to stop. It has no other way in than any player's, so what
 * it meets is what players meet.
 *
 * Every wait between two tries is jittered and grows with failures in a row up to `AGAIN.mostMs`. After a
 * failure that trying again can't mend (a core with another database knows nobody of before), the bot
 * comes back as a new guest.
 */
import type { ArenaState } from "../../region/games/arena/arena-state.ts";
import { decide, type Goal, LOOK_EVERY_MS } from "../../region/games/arena/bot.ts";
import { Steering } from "../../region/games/arena/page/steering.ts";
import { type Backoff, backoffMs, type RetryBudget } from "../../shared/client/backoff.ts";
import type { Connection } from "../../shared/client/connection.ts";
import { Meridian } from "../../shared/client/meridian.ts";
import type { Play } from "../../shared/client/play.ts";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure, type MeridianError } from "../../shared/errors.ts";

/**
 * The core lets one address make so many guests a second and tells the others when to come back. Of
 * hundreds of bots behind one address the last has its turn only after a while, and may wait for it.
 */
const LOG_IN_BUDGET: RetryBudget = { attemptsMax: 60, totalMs: 120_000 };
const AGAIN: Backoff = { firstMs: 1_000, mostMs: 15_000 };
/** Having played this long, a bot was well placed: earlier failures don't delay its next search. */
const SETTLED_MS = 2_000;

/** Is told what happens to a bot, as it happens. */
export interface BotObserver {
  /** Every change of the connection, of all its stays. */
  connection?(connection: Connection): void;
  /** Got into a room; how long that took from the call on, once logged in, with the wait in a queue. */
  joined?(tookMs: number): void;
  /** Was not let in, or its log-in failed. */
  failed?(error: MeridianError): void;
  /** Brought so many coins' worth to a bank. */
  banked?(worth: number): void;
}

export interface BotPlayerOptions {
  /** The core's. */
  readonly url: string;
  readonly name: string;
  readonly clock: Clock;
  /** Answers a number from 0 to 1 (exclusive). */
  readonly random: () => number;
  readonly observer: BotObserver;
  /** Asked before each join: the region to insist on; undefined for the best one. */
  readonly region?: () => string | undefined;
  /** Between two tries; by default as a crowd's bots wait, which must not come all at once. */
  readonly again?: Backoff;
}

export class BotPlayer {
  readonly #options: BotPlayerOptions;
  readonly #steering = new Steering((push) => this.#play?.send("move", push) ?? false);
  #meridian: Meridian | undefined;
  #play: Play<ArenaState> | undefined;
  #connection: Connection = { phase: "idle" };
  #goal: Goal | undefined;
  #score = 0;

  constructor(options: BotPlayerOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** The room it is in, with the names of those who are connected there, as it sees them. */
  get room(): { readonly roomId: string; readonly present: readonly string[] } | undefined {
    if (!this.#play) return undefined;
    const { roomId, state } = this.#play;
    const present = [...state.players.values()].filter(({ connected }) => connected);
    return { roomId, present: present.map(({ name }) => name) };
  }

  /** Plays until the signal, then leaves; resolves when the room has let go. Runs once. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, again = AGAIN } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const play = await this.#enter(signal);
      const enteredMs = clock.monotonicMs();
      if (play) await this.#stay(play, signal);
      const settled = play && clock.monotonicMs() - enteredMs >= SETTLED_MS;
      failures = settled || this.#leftItself ? 0 : failures + 1;
      await sleep(clock, backoffMs(Math.max(1, failures), again, random()), signal);
    }
    // It may have been between two rooms.
    if (this.#connection.phase !== "left") this.#changed({ phase: "left", reason: "asked" });
  }

  /** Leaves the room it is in; the bot then looks for another by itself. */
  async leaveRoom(): Promise<void> {
    await this.#play?.leave();
  }

  /** @returns undefined when it was not let in */
  async #enter(signal: AbortSignal): Promise<Play<ArenaState> | undefined> {
    const { clock, observer } = this.#options;
    try {
      const meridian = await this.#logIn();
      const beganMs = clock.monotonicMs();
      const region = this.#options.region?.();
      const play = await meridian.join<ArenaState>("arena", {
        ...(region !== undefined && { region }),
        // Whoever is waiting in a queue leaves it then.
        signal,
        onConnection: (connection) => this.#changed(connection),
      });
      observer.joined?.(clock.monotonicMs() - beganMs);
      return play;
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (signal.aborted) return undefined;
      if (!error.retryable) this.#meridian = undefined;
      if (this.#connection.phase !== "failed") this.#changed({ phase: "failed", error });
      observer.failed?.(error);
      return undefined;
    }
  }

  async #logIn(): Promise<Meridian> {
    const { url, name, clock, random } = this.#options;
    this.#changed({ phase: "joining", attempt: 1, nextInMs: 0 });
    this.#meridian ??= new Meridian({ url, clock, random, logInBudget: LOG_IN_BUDGET });
    if (!this.#meridian.player) await this.#meridian.logIn({ name });
    return this.#meridian;
  }

  /** Until the room is gone or the signal comes. */
  async #stay(play: Play<ArenaState>, signal: AbortSignal): Promise<void> {
    this.#play = play;
    this.#goal = undefined;
    this.#score = 0;
    const stopLooking = this.#options.clock.every(LOOK_EVERY_MS, () => this.#look(play));
    await over(play, signal);
    stopLooking();
    if (signal.aborted) await play.leave();
    this.#play = undefined;
  }

  #look(play: Play<ArenaState>): void {
    const self = this.#self;
    if (!self || play.connection.phase !== "playing") return;
    const { clock, random, observer } = this.#options;
    const { x, y, carried, score } = self;
    const { push, goal } = decide(play.state, { x, y, carried, goal: this.#goal }, random);
    this.#goal = goal;
    this.#steering.update(push, clock.monotonicMs());
    // A new round starts from nothing.
    if (score > this.#score) observer.banked?.(score - this.#score);
    this.#score = score;
  }

  get #leftItself(): boolean {
    return this.#connection.phase === "left" && this.#connection.reason === "asked";
  }

  get #self() {
    return this.#play?.state.players.get(this.#play.sessionId);
  }

  #changed(connection: Connection): void {
    this.#connection = connection;
    if (connection.phase === "playing") this.#steering.forget();
    this.#options.observer.connection?.(connection);
  }
}

/** Resolves when the stay has ended for good, or the signal came. */
function over(play: Play<ArenaState>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      const { phase } = play.connection;
      if (!signal.aborted && phase !== "lost" && phase !== "left") return;
      stopListening();
      signal.removeEventListener("abort", check);
      resolve();
    };
    const stopListening = play.onConnection(check);
    signal.addEventListener("abort", check);
    check();
  });
}
