/**
 * Timers that are part of a room: plain data under a name, captured with the state, in the room's own
 * time. They stand still while the room does, and fire in the same order wherever it runs.
 */
import { z } from "zod";
import { RoomStateError } from "./room-error.ts";

const ms = z.number().nonnegative();

export const Timer = z.object({
  id: z.number().int().positive(),
  name: z.string().min(1).max(64),
  /** In the room's own time. */
  dueMs: ms,
  /** Absent for a timer that fires once. */
  everyMs: ms.positive().optional(),
  data: z.json().optional(),
});
export type Timer = z.infer<typeof Timer>;
export type TimerData = Exclude<Timer["data"], undefined>;

export const TimersState = z.object({
  nextId: z.number().int().positive(),
  timers: z.array(Timer),
});
export type TimersState = z.infer<typeof TimersState>;

export interface NewTimer {
  readonly name: string;
  /** From now; 0 is due at the next step. */
  readonly delayMs: number;
  /** Above 0; absent for a timer that fires once. */
  readonly everyMs?: number | undefined;
  /** JSON. */
  readonly data?: TimerData | undefined;
}

/** Timers in one room at a time; one more is refused. */
export const TIMERS_MAX = 10_000;

export class Timers {
  #nextId: number;
  /** By due time, then by id. */
  readonly #timers: Timer[];
  #changes = 0;

  constructor(state: TimersState = { nextId: 1, timers: [] }) {
    this.#nextId = state.nextId;
    this.#timers = [...state.timers].sort(byDue);
  }

  /** Rises whenever `state` is another. */
  get changes(): number {
    return this.#changes;
  }

  get state(): TimersState {
    return { nextId: this.#nextId, timers: [...this.#timers] };
  }

  /**
   * @returns an id to cancel it by, unique over the room's whole life
   * @throws {RoomStateError} `limit_exceeded` past `TIMERS_MAX`
   */
  schedule(nowMs: number, timer: NewTimer): number {
    if (this.#timers.length >= TIMERS_MAX) {
      throw new RoomStateError("limit_exceeded", `more than ${TIMERS_MAX} timers`);
    }
    const { name, delayMs, everyMs, data } = timer;
    const id = this.#nextId;
    this.#insert(Timer.parse({ id, name, dueMs: nowMs + delayMs, everyMs, data }));
    this.#nextId += 1;
    return id;
  }

  /** @returns whether it was still to fire */
  cancel(id: number): boolean {
    const index = this.#timers.findIndex((timer) => timer.id === id);
    if (index >= 0) {
      this.#timers.splice(index, 1);
      this.#changes += 1;
    }
    return index >= 0;
  }

  /**
   * Takes the next timer that is due, and schedules it again if it repeats. Called until it answers
   * undefined, so that a timer which another one cancels does not fire.
   */
  takeDue(nowMs: number): Timer | undefined {
    const first = this.#timers[0];
    if (!first || first.dueMs > nowMs) return undefined;
    this.#timers.shift();
    this.#changes += 1;
    if (first.everyMs !== undefined) {
      this.#insert({ ...first, dueMs: first.dueMs + first.everyMs });
    }
    return first;
  }

  #insert(timer: Timer): void {
    const index = this.#timers.findLastIndex((other) => byDue(other, timer) <= 0);
    this.#timers.splice(index + 1, 0, timer);
    this.#changes += 1;
  }
}

function byDue(a: Timer, b: Timer): number {
  return a.dueMs - b.dueMs || a.id - b.id;
}
