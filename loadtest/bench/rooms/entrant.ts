/**
 * A contender that is up: its server, its crowd, its observer. Between its turns the server is frozen,
 * so that nobody pays for another's timers, and no connection has to be made again.
 */
import { Random } from "../../../region/rooms/random.ts";
import { type Clock, sleep } from "../../../shared/clock.ts";
import { Child } from "./child.ts";
import { type Contender, type ContenderName, type Seat, seatUrl } from "./contenders.ts";
import type { Counts, Joining } from "./crowd.ts";
import { PLAYERS } from "./game.ts";
import { Observer } from "./observer.ts";
import type { Usage } from "./server-child.ts";

/** What one window of one contender showed. */
export interface Window {
  /** CPU time of the server's process per player and second of the window. */
  readonly cpuPerPlayerUs: number;
  /** What reached a player, heads of websocket frames included. */
  readonly bytesPerPlayerPerS: number;
  readonly patchesPerPlayerPerS: number;
  readonly inputsPerPlayerPerS: number;
  /** How much later than one period after the tick before it each tick of each room began. */
  readonly latenessesMs: readonly number[];
}

export interface Turn {
  /** Before the window, until traffic flows evenly again. */
  readonly settleMs: number;
  readonly windowMs: number;
}

export interface EntrantOptions {
  readonly contender: Contender;
  readonly seed: number;
  /** `PLAYERS` by default. */
  readonly players?: number;
  readonly clock: Clock;
  /** Called off. */
  readonly signal: AbortSignal;
}

export class Entrant {
  readonly name: ContenderName;
  readonly #server: Child;
  readonly #crowd: Child;
  readonly #options: EntrantOptions;
  readonly #players: number;
  #observer: Observer | undefined;
  #rssBeforeBytes = 0;

  constructor(options: EntrantOptions) {
    this.#options = options;
    this.name = options.contender.name;
    this.#players = options.players ?? PLAYERS;
    this.#server = new Child(options.contender.file, options.clock);
    this.#crowd = new Child("crowd.ts", options.clock);
  }

  /** Starts the server and lets everybody in; it is frozen then. */
  async fill(): Promise<void> {
    const { contender, seed } = this.#options;
    const takeSeat = await contender.start(this.#server);
    this.#rssBeforeBytes = (await this.#usage()).rssBytes;
    const seats: Seat[] = [];
    for (let taken = 0; taken < this.#players - 1; taken += 1) seats.push(await takeSeat());
    const observerSeat = await takeSeat();
    const joining: Joining = { urls: seats.map(seatUrl), seed, serverPid: this.#server.pid };
    await this.#crowd.ask("join", joining);
    this.#observer = await Observer.join(observerSeat, Random.fromSeed(seed + 1));
    this.freeze();
  }

  /**
   * One turn: thaws the server, lets everybody play, and measures.
   * @throws when a connection broke, or the state that a stock client sees is wrong
   */
  async measure({ settleMs, windowMs }: Turn): Promise<Window> {
    const observer = this.#observer;
    if (!observer) throw new Error("nobody is in yet");
    const { clock, signal } = this.#options;
    this.#thaw();
    observer.play();
    await this.#crowd.ask("play");
    await sleep(clock, settleMs, signal);
    const sights = observer.look();
    await this.#latenesses();
    const [countsBefore, usageBefore] = await this.#readings();
    await sleep(clock, windowMs, signal);
    signal.throwIfAborted();
    const [counts, usage] = await this.#readings();
    const latenessesMs = await this.#latenesses();
    observer.check(sights, windowMs);
    observer.rest();
    await this.#crowd.ask("rest");
    this.freeze();
    const seconds = (usage.atMs - usageBefore.atMs) / 1_000;
    // The observer counts nothing, and gets what the others get.
    const counted = (this.#players - 1) * seconds;
    return {
      cpuPerPlayerUs: (usage.cpuUs - usageBefore.cpuUs) / (this.#players * seconds),
      bytesPerPlayerPerS: (counts.bytesReceived - countsBefore.bytesReceived) / counted,
      patchesPerPlayerPerS: (counts.patches - countsBefore.patches) / counted,
      inputsPerPlayerPerS: (counts.inputsSent - countsBefore.inputsSent) / counted,
      latenessesMs,
    };
  }

  /** What the resident memory of the server and what works for it has grown by since nobody was in, per player. Thaws it. */
  async rssPerPlayerKb(): Promise<number> {
    this.#thaw();
    const { rssBytes } = await this.#usage();
    return (rssBytes - this.#rssBeforeBytes) / 1_024 / this.#players;
  }

  async end(): Promise<void> {
    this.#observer?.rest();
    await Promise.all(this.#processes.map((process) => process.end()));
    // It must outlive the server, and not look for it: it would if it saw its parent go.
    await this.#crowd.kill();
  }

  /** What else the server's process answers; thaws it. */
  ask<Value>(name: string): Promise<Value> {
    this.#thaw();
    return this.#server.ask<Value>(name);
  }

  async #usage(): Promise<Usage> {
    const [own, ...others] = await Promise.all(
      this.#processes.map((process) => process.ask<Usage>("usage")),
    );
    if (!own) throw new Error("no server");
    return {
      ...own,
      cpuUs: others.reduce((sum, { cpuUs }) => sum + cpuUs, own.cpuUs),
      rssBytes: others.reduce((sum, { rssBytes }) => sum + rssBytes, own.rssBytes),
    };
  }

  get #processes(): readonly Child[] {
    return [this.#server, ...(this.#options.contender.beside ?? [])];
  }

  /** Until it is measured or asked again. */
  freeze(): void {
    for (const process of this.#processes) process.freeze();
  }

  #thaw(): void {
    for (const process of this.#processes) process.thaw();
  }

  #latenesses(): Promise<number[]> {
    return this.#server.ask<number[]>("takeLatenesses");
  }

  #readings(): Promise<[Counts, Usage]> {
    return Promise.all([this.#crowd.ask<Counts>("count"), this.#usage()]);
  }
}
