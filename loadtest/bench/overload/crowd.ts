/**
 * Players who come at a rate that does not depend on how they are answered, enter, play for a while and leave
 * properly. Also tells how late the generator itself was, because a late one would flatter the server.
 */
import { type Cancel, sleep, systemClock } from "../../../shared/clock.ts";
import { percentile } from "../benchmark.ts";
import { type LeanSocket, messageFrame } from "../lean-socket.ts";
import type { MintedPlayer } from "../minted-players.ts";
import { type EntryEvents, RoomEntry, sayLeave } from "../room-entry.ts";
import { FIRST_INPUT, INPUT_FRAME_BYTES, writeInput } from "../rooms/input-frame.ts";
import { type Attempt, newAttempt, STAY_MS } from "./attempt.ts";
import type { Door } from "./door.ts";
import type { Ending } from "./ending.ts";

const TURN_MS = 2;
const ENTER_DEADLINE_MS = 15_000;
const LEAVE_DEADLINE_MS = 5_000;
const INPUT_EVERY_MS = 1_000;
/** Inputs are sent by a tenth of the players at a time. */
const INPUT_SHARES = 10;

interface Stay {
  entered(): void;
  closed(reason: string): void;
}

export interface Arrivals {
  readonly perSecond: number;
  readonly players: readonly MintedPlayer[];
}

/** How late attempts were made, ms. */
export interface Lag {
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class Crowd {
  readonly attempts: Attempt[] = [];
  readonly #door: Door;
  readonly #entry: RoomEntry;
  readonly #stays = new Map<LeanSocket, Stay>();
  /** By the tenth of a second in which they send inputs. */
  readonly #playing: Set<LeanSocket>[] = Array.from({ length: INPUT_SHARES }, () => new Set());
  readonly #stopPlaying: Cancel;
  #underWay = 0;
  #entered = 0;
  #input = FIRST_INPUT;
  #share = 0;

  constructor(door: Door) {
    this.#door = door;
    const events: EntryEvents = {
      entered: (socket) => this.#stays.get(socket)?.entered(),
      closed: (socket, reason) => {
        this.#stays.get(socket)?.closed(reason);
        this.#stays.delete(socket);
      },
    };
    this.#entry = new RoomEntry(events, door);
    this.#stopPlaying = systemClock.every(INPUT_EVERY_MS / INPUT_SHARES, () => this.#sendInputs());
  }

  /** @returns once every one of them has come */
  async arrive({ perSecond, players }: Arrivals, ending: Ending): Promise<Lag> {
    const lagsMs: number[] = [];
    const beganMs = systemClock.monotonicMs();
    const dueMs = (index: number) => beganMs + (index * 1_000) / perSecond;
    for (let index = 0; index < players.length && !ending.over; ) {
      const nowMs = systemClock.monotonicMs();
      for (; index < players.length && dueMs(index) <= nowMs; index += 1) {
        lagsMs.push(nowMs - dueMs(index));
        const player = players[index];
        if (player) void this.#attempt(player, ending);
      }
      await sleep(systemClock, TURN_MS);
    }
    return { p99Ms: percentile(lagsMs, 99), maxMs: percentile(lagsMs, 100) };
  }

  get underWay(): number {
    return this.#underWay;
  }

  stop(): void {
    this.#stopPlaying();
    for (const socket of this.#stays.keys()) socket.destroy();
  }

  async #attempt(player: MintedPlayer, ending: Ending): Promise<void> {
    const attempt = newAttempt(systemClock.monotonicMs());
    this.attempts.push(attempt);
    this.#underWay += 1;
    const address = await this.#door.knock(player, attempt, ending);
    if (address) await this.#stay(this.#entry.open(address), attempt);
    this.#underWay -= 1;
  }

  /** Resolves when the connection is closed, or should have been. */
  #stay(socket: LeanSocket, attempt: Attempt): Promise<void> {
    const playing = this.#playing[this.#entered % INPUT_SHARES];
    return new Promise((resolve) => {
      let cancel = systemClock.after(ENTER_DEADLINE_MS, () => socket.destroy());
      const leave = () => {
        attempt.end = "stayed";
        playing?.delete(socket);
        sayLeave(socket);
        cancel = systemClock.after(LEAVE_DEADLINE_MS, () => socket.destroy());
      };
      this.#stays.set(socket, {
        entered: () => {
          cancel();
          this.#entered += 1;
          attempt.enteredAtMs = systemClock.monotonicMs();
          playing?.add(socket);
          cancel = systemClock.after(STAY_MS, leave);
        },
        closed: (reason) => {
          cancel();
          playing?.delete(socket);
          if (attempt.enteredAtMs === undefined) attempt.end = `shut out: ${reason}`;
          else if (attempt.end !== "stayed") attempt.end = `thrown out: ${reason}`;
          resolve();
        },
      });
    });
  }

  #sendInputs(): void {
    this.#share = (this.#share + 1) % INPUT_SHARES;
    const sockets = this.#playing[this.#share] ?? [];
    const payload = Buffer.allocUnsafe(INPUT_FRAME_BYTES);
    for (const socket of sockets) {
      this.#input += 1;
      writeInput(payload, 0, { input: this.#input, facing: Math.random() * 6 });
      socket.send(messageFrame(payload));
    }
  }
}
