/**
 * One player of the treasury: joins a room, asks for one operation after another without waiting for
 * each outcome, writes a diary, and keeps what it was told. Back in the same room after a drop it asks again
 * for what it was not told, under the same cause: that must not count twice.
 */
import type { Random } from "../../../region/rooms/random.ts";
import { Meridian } from "../../../shared/client/meridian.ts";
import type { Play } from "../../../shared/client/play.ts";
import { SUSPECT_AFTER_MS } from "../../../shared/client/silence.ts";
import { sleep, systemClock } from "../../../shared/clock.ts";
import { isFailure } from "../../../shared/errors.ts";
import { SessionId } from "../../../shared/ids.ts";
import { HIGHEST_THROW } from "../watched-players.ts";
import type { ClientRecords } from "./client-records.ts";
import { Diary } from "./diary.ts";
import type { PlayersDiary } from "./diary-audit.ts";
import { type Ask, NotTold, Told } from "./treasury-messages.ts";
import type { TreasuryState } from "./treasury-room.ts";

const ASK_EVERY_MS = 100;
/** Past so many without an outcome it waits: a core that is away must not be asked for ever more. */
const OPEN_MAX = 8;
const AGAIN_MS = 500;
const AMOUNT_MAX = 20;
/** What it asks for, as often as each stands here. */
const KINDS = ["earn", "earn", "pay", "pay", "gem", "trade"] as const;

export interface TraderOptions {
  /** The core's. */
  readonly url: string;
  readonly name: string;
  /** Asked before each join: the region to insist on; undefined for the best one. */
  readonly region: () => string | undefined;
  readonly dice: Random;
  readonly records: ClientRecords;
}

export class Trader {
  readonly #options: TraderOptions;
  readonly #meridian: Meridian;
  readonly #open = new Map<string, Ask>();
  readonly #diary = new Diary();
  #play: Play<TreasuryState> | undefined;
  #sentHome = false;
  #asked = 0;

  constructor(options: TraderOptions) {
    this.#options = options;
    const { url, dice } = options;
    this.#meridian = new Meridian({
      url,
      clock: systemClock,
      random: () => HIGHEST_THROW * dice.float(),
    });
  }

  get name(): string {
    return this.#options.name;
  }

  /** Where it plays; undefined when it does not. */
  get regionId(): string | undefined {
    const connection = this.#play?.connection;
    return connection?.phase === "playing" ? connection.regionId : undefined;
  }

  /** As it was told of it. */
  get diary(): PlayersDiary {
    return { playerId: this.#meridian.player?.playerId ?? "", pages: this.#diary.pages };
  }

  /** A node of that region died at once. */
  nodeKilled(regionId: string): void {
    this.#diary.nodeKilled(regionId);
  }

  /** Leaves its room, and then looks for one where it is to be. */
  goHome(): void {
    const home = this.#options.region();
    this.#sentHome = this.regionId !== undefined && home !== undefined && this.regionId !== home;
  }

  /** Plays until the signal, in one room after another. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, region, dice } = this.#options;
    while (!signal.aborted) {
      try {
        if (!this.#meridian.player) await this.#meridian.logIn({ name });
        const home = region();
        const play = await this.#meridian.join<TreasuryState>("treasury", {
          // Where its home is down it waits in line.
          signal,
          ...(home !== undefined && { region: home }),
        });
        this.#play = play;
        await this.#stay(play, signal);
        await play.leave();
      } catch (error) {
        // Nobody lets it in now: the next try comes.
        if (!isFailure(error)) throw error;
      }
      this.#play = undefined;
      this.#sentHome = false;
      this.#forgetOpen();
      await sleep(systemClock, AGAIN_MS * (0.5 + dice.float()), signal);
    }
  }

  async #stay(play: Play<TreasuryState>, signal: AbortSignal): Promise<void> {
    const closeDiary = this.#diary.follow(play);
    this.#listen(play);
    try {
      await this.#trade(play, signal);
    } finally {
      closeDiary();
    }
  }

  #listen(play: Play<TreasuryState>): void {
    const { records } = this.#options;
    play.onMessage("told", (payload) => {
      const { cause, ...op } = Told.parse(payload);
      this.#open.delete(cause);
      records.promise(op);
    });
    play.onMessage("not_told", (payload) => {
      const { cause, why } = NotTold.parse(payload);
      if (!this.#open.delete(cause)) return;
      records.unknown += 1;
      records.notTold.set(why, (records.notTold.get(why) ?? 0) + 1);
    });
  }

  async #trade(play: Play<TreasuryState>, signal: AbortSignal): Promise<void> {
    let dropped = false;
    while (!signal.aborted && !this.#sentHome) {
      const { phase } = play.connection;
      if (phase === "lost" || phase === "left" || phase === "failed") return;
      if (phase !== "playing") dropped ||= phase !== "suspect";
      else if (dropped) {
        dropped = false;
        for (const ask of this.#open.values()) if (ask.kind === "earn") play.send("ask", ask);
      } else if (this.#open.size < OPEN_MAX) this.#ask(play);
      if (phase === "playing") this.#diary.write(play);
      await sleep(systemClock, ASK_EVERY_MS, signal);
    }
    await this.#lastAnswers();
  }

  #ask(play: Play<TreasuryState>): void {
    const { name, dice } = this.#options;
    this.#asked += 1;
    const partner = dice.pick([...play.state.players.keys()].map((id) => SessionId.parse(id)));
    const kind = dice.pick(KINDS);
    const cause = `${name}-${this.#asked}`;
    const ask: Ask = { kind, cause, amount: 1 + dice.int(AMOUNT_MAX), partner };
    if (play.send("ask", ask)) this.#open.set(cause, ask);
  }

  /** What is still under way at the end is usually told at once. */
  async #lastAnswers(): Promise<void> {
    const endMs = systemClock.monotonicMs() + SUSPECT_AFTER_MS;
    while (this.#open.size > 0 && systemClock.monotonicMs() < endMs) {
      await sleep(systemClock, ASK_EVERY_MS);
    }
  }

  #forgetOpen(): void {
    this.#options.records.unknown += this.#open.size;
    this.#open.clear();
  }
}
