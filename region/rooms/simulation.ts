/**
 * A room's own time and everything that follows from it: the tick, timers, randomness and entity ids.
 * The same history of steps gives the same of all of these, wherever they run. Beside it: which operations on
 * value it has had.
 */
import { OpOrder } from "./op-order.ts";
import { Random } from "./random.ts";
import type { RoomProgress } from "./room-side.ts";
import { type Timer, Timers, type TimersState } from "./timers.ts";

export class Simulation {
  readonly tickMs: number;
  readonly random: Random;
  readonly timers: Timers;
  readonly ops: OpOrder;
  #tick: number;
  #entities: number;

  constructor(tickMs: number, progress: RoomProgress, timers?: TimersState) {
    this.tickMs = tickMs;
    this.random = new Random(progress.random);
    this.timers = new Timers(timers);
    this.ops = new OpOrder(progress.opSeq);
    this.#tick = progress.tick;
    this.#entities = progress.entities;
  }

  static fresh(tickMs: number, seed: number): Simulation {
    const random = Random.fromSeed(seed).state;
    return new Simulation(tickMs, { tick: 0, entities: 0, random, opSeq: 0 });
  }

  get tick(): number {
    return this.#tick;
  }

  get nowMs(): number {
    return this.#tick * this.tickMs;
  }

  get progress(): RoomProgress {
    return {
      tick: this.#tick,
      entities: this.#entities,
      random: this.random.state,
      opSeq: this.ops.delivered,
    };
  }

  nextEntityId(): string {
    this.#entities += 1;
    return `e${this.#entities}`;
  }

  /** One tick on; `fire` gets the timers that are due then, in order. */
  step(fire: (timer: Timer) => void): void {
    this.#tick += 1;
    const { nowMs } = this;
    for (let due = this.timers.takeDue(nowMs); due; due = this.timers.takeDue(nowMs)) fire(due);
  }
}
