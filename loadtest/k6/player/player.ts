/**
 * One player of a load test: logs in, joins, plays, leaves, and notes what went wrong on the way. What it does is
 * what the client SDK does; how long it took is measured here.
 */
import { type Connection, mayReturn } from "../../../shared/client/connection.ts";
import type { Cancel } from "../../../shared/clock.ts";
import { errorKinds, isFailure, type MeridianError } from "../../../shared/errors.ts";
import type { QueuePlace } from "../../../shared/protocol/queue.ts";
import { clock, pause } from "../engine/clock.ts";
import type { CoreCalls } from "../engine/core-calls.ts";
import { failed, metrics, type Tags } from "../engine/metrics.ts";
import type { Game } from "../games/game.ts";
import { Account } from "./account.ts";
import { type ConnectionListener, PlayerConnection } from "./connection.ts";
import type { QueueWatch } from "./queue-order.ts";
import type { Frame, RoomStream } from "./room-stream.ts";
import { Stay } from "./stay.ts";
import { Wallet } from "./wallet.ts";

/** All players of a load test log in from few addresses, and are held back for it. */
const LOG_IN_MS_MAX = 120_000;
const LOG_IN_AGAIN_MS = 500;
/** In a queue, where a scenario does not say how long. */
const WAIT_MS_MAX = 120_000;
/** From a seat that is taken to one's own entity and its first echo. */
const ECHO_MS_MAX = 10_000;
const OVER: readonly string[] = ["lost", "left", "failed"];

export interface PlayerOptions {
  readonly core: CoreCalls;
  readonly name: string;
  readonly game: Game;
  readonly gameName: string;
  readonly region: string;
  /** Decodes all that comes, not only the first state. */
  readonly observes: boolean;
  readonly random: () => number;
  /** Answers of the queue. */
  readonly queueWatch?: QueueWatch;
  readonly sampled?: (echoMs: number) => void;
}

/** `waiting`: in a queue, when it was to wait no longer. */
export type Entry = "in" | "waiting" | "failed";

export class Player {
  readonly account: Account;
  readonly #options: PlayerOptions;
  readonly #wallet: Wallet;
  readonly #connection: PlayerConnection;
  #stay: Stay | undefined;
  #askedAtMs = 0;
  /** The last frame before a break from which the player is not back yet. */
  #brokeAtMs: number | undefined;
  #nodeBefore = "";
  #leaving = false;
  #violations = 0;
  /** Why the last stay, or search for one, is over. */
  #why = "";
  #moves = 0;
  #placeNumber: number | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(options: PlayerOptions) {
    const { core, name, gameName: game, region, random } = options;
    this.#options = options;
    this.account = new Account(core, name, random);
    this.#wallet = new Wallet(this.account, name);
    const listener: ConnectionListener = {
      viewChanged: (view, before) => this.#viewChanged(view, before),
      frame: (frame, stream, atMs) => this.#frame(frame, stream, atMs),
      place: (place, askedAtMs) => this.#place(place, askedAtMs),
      refused: (error, called) => this.#refused(error, called),
      closed: (code, reason, isOpen) => this.#closed(code, reason, isOpen),
    };
    const { account } = this;
    this.#connection = new PlayerConnection({ core, account, game, region, random, listener });
  }

  get name(): string {
    return this.#options.name;
  }

  get isPlaying(): boolean {
    const { phase } = this.#connection.view;
    return phase === "playing" || phase === "suspect";
  }

  /** Whether its own entity is there, and for an observer an input of the present connection in it. */
  get isEchoed(): boolean {
    return this.isPlaying && (this.#stay?.isEchoed ?? false);
  }

  /** How often it was carried to another node. */
  get moves(): number {
    return this.#moves;
  }

  /** Whether nothing was seen that a right server never does. */
  get sawNoWrong(): boolean {
    return this.#violations + (this.#stay?.violations ?? 0) + this.#wallet.violations === 0;
  }

  /** Is refused for a time where too many log in: that is no failure. @returns whether it worked */
  async logIn(): Promise<boolean> {
    const giveUpAtMs = Date.now() + LOG_IN_MS_MAX;
    for (;;) {
      try {
        await this.account.logIn();
        return await this.#wallet.begin();
      } catch (error) {
        if (!isFailure(error)) throw error;
        const afterMs = error.retryAfterMs || LOG_IN_AGAIN_MS;
        if (error.retryAfterMs) metrics.politeRefusals.add(1, { kind: error.kind });
        if (!error.retryable || Date.now() + afterMs > giveUpAtMs) {
          this.#failed("log_in_failed", error.kind);
          return false;
        }
        await pause(afterMs * (1 + this.#options.random()));
      }
    }
  }

  /**
   * Resolves once an input has come back; before that it may wait in a queue.
   * @param withinMs how long it waits there
   */
  async join(withinMs = WAIT_MS_MAX): Promise<Entry> {
    this.#leaving = false;
    this.#why = "";
    this.#askedAtMs = Date.now();
    this.#connection.join();
    const settled = await this.#until(() => this.isPlaying || this.#isOver, withinMs);
    if (!settled && this.#waits) return "waiting";
    const isIn = await this.#until(() => this.isEchoed || this.#isOver, ECHO_MS_MAX);
    if (isIn && this.isEchoed) return "in";
    this.#failed("join_failed", this.#why || `no input came back in ${ECHO_MS_MAX} ms`);
    return "failed";
  }

  /** Plays on until that is settled. @returns false when the stay ended before */
  async play(until: Promise<void>): Promise<boolean> {
    let isSettled = false;
    void until.then(() => {
      isSettled = true;
      this.#changed();
    });
    await this.#until(() => isSettled || this.#isOver);
    return !this.#isOver;
  }

  /** Whether it is in the room, or comes back into it in time, and all inputs that it waited for were heard. */
  async isBack(withinMs: number): Promise<boolean> {
    const isAnswered = () => this.isEchoed && (this.#stay?.isAnswered ?? false);
    await this.#until(() => isAnswered() || this.#isOver, withinMs);
    if (this.isEchoed) return true;
    this.#failed("not_resumed", this.#why || `not back after ${withinMs} ms`);
    return false;
  }

  /** Leaves, and looks whether the core has what the room said. */
  async leave(): Promise<void> {
    if (this.#isOver) return;
    this.#leaving = true;
    const owed = this.#stay?.owed;
    this.#connection.leave();
    this.#endStay();
    if (owed) await this.#wallet.expect(owed);
  }

  get #waits(): boolean {
    const { phase } = this.#connection.view;
    return phase === "queued" || phase === "offered";
  }

  get #isOver(): boolean {
    return OVER.includes(this.#connection.view.phase);
  }

  get #tags(): Tags {
    return { region: this.#connection.regionId };
  }

  #viewChanged(view: Connection, before: Connection): void {
    if (view.phase === "playing" && before.phase !== "suspect") this.#arrived();
    if (view.phase === "reconnecting" || view.phase === "moving") this.#broke();
    if (this.#isOver) this.#over(view);
    this.#changed();
  }

  #over(view: Connection): void {
    this.#why = "error" in view ? view.error.kind : "reason" in view ? view.reason : "";
    if (this.#brokeAtMs !== undefined && !this.#leaving) this.#failed("not_resumed", this.#why);
    else if (view.phase === "left" && !this.#leaving) this.#failed("cut_off", this.#why);
    this.#brokeAtMs = undefined;
    this.#endStay();
  }

  #arrived(): void {
    this.#stay ??= new Stay({
      game: this.#options.game,
      sessionId: this.#connection.sessionId,
      observes: this.#options.observes,
      random: this.#options.random,
      send: (type, payload) => this.#connection.send(type, payload),
      region: () => this.#connection.regionId,
      seen: () => this.#seen(),
      echoed: () => this.#echoed(),
      answered: () => this.#changed(),
      ...(this.#options.sampled && { sampled: this.#options.sampled }),
    });
    this.#stay.arrived();
  }

  #broke(): void {
    if (this.#brokeAtMs !== undefined) return;
    this.#brokeAtMs = this.#connection.heardAtMs;
    this.#nodeBefore = this.#connection.nodeId;
    this.#stay?.broke();
  }

  #seen(): void {
    if (this.#askedAtMs === 0) return;
    metrics.joinMs.add(Date.now() - this.#askedAtMs, this.#tags);
    this.#askedAtMs = 0;
  }

  #echoed(): void {
    this.#changed();
    if (this.#brokeAtMs === undefined) return;
    // Who does not observe has only seen its own entity, which is earlier.
    if (this.#options.observes) {
      metrics.downtimeMs.add(Date.now() - this.#brokeAtMs, this.#tags);
    }
    this.#brokeAtMs = undefined;
    if (this.#connection.nodeId === this.#nodeBefore) return;
    this.#moves += 1;
    metrics.moved.add(1, this.#tags);
  }

  #frame(frame: Frame, stream: RoomStream, atMs: number): void {
    if (frame.kind === "message") {
      const balance = this.#options.game.balanceIn(frame.type, frame.payload);
      if (balance) this.#wallet.told(balance);
    } else if (frame.kind === "error") this.#failed("bad_frame", frame.words);
    else this.#stay?.frame(frame, stream, atMs);
  }

  #place(place: QueuePlace, askedAtMs: number): void {
    const tags = { region: place.regionId };
    if (place.position !== null) metrics.queuePosition.add(place.position, tags);
    metrics.queueLength.add(place.waiting, tags);
    if (place.number !== this.#placeNumber) metrics.queued.add(1, tags);
    this.#placeNumber = place.number;
    // A wait is no part of how long a join takes.
    if (place.state === "called") this.#askedAtMs = Date.now();
    this.#options.queueWatch?.heard(place, askedAtMs);
  }

  #refused(error: MeridianError, called: boolean): void {
    if (error.retryAfterMs) metrics.politeRefusals.add(1, { kind: error.kind });
    if (called) this.#failed("refused_after_admitted", `called, and then ${error.kind}`);
  }

  /** A server that ends a connection says why, and whether to come back; and whoever has a ticket has a seat. */
  #closed(code: number, reason: string, isOpen: boolean): void {
    if (this.#leaving || mayReturn(code)) return;
    if (!isOpen) this.#failed("refused_after_admitted", `with a ticket: ${code} "${reason}"`);
    if (errorKinds().some((kind) => kind === reason)) return;
    this.#failed("cut_off", `closed with ${code} "${reason}"`);
  }

  #endStay(): void {
    this.#violations += this.#stay?.violations ?? 0;
    this.#stay?.end();
    this.#stay = undefined;
  }

  #failed(kind: Parameters<typeof failed>[0], words: string): void {
    this.#violations += 1;
    failed(kind, `${this.name}: ${words}`, this.#tags);
  }

  /** @returns false when it was not so in time */
  #until(isSo: () => boolean, withinMs?: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (wasSo: boolean) => {
        this.#waiting.delete(look);
        cancel();
        resolve(wasSo);
      };
      const look = () => {
        if (isSo()) settle(true);
      };
      const cancel: Cancel =
        withinMs === undefined ? () => {} : clock.after(Math.max(0, withinMs), () => settle(false));
      this.#waiting.add(look);
      look();
    });
  }

  #changed(): void {
    for (const look of [...this.#waiting]) look();
  }
}
