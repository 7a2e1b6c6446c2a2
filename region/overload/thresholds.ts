/**
 * What leads a node up its ladder, and what lets it down again.
 *
 * The event loop's figures were measured with rooms of 50 players at 20 Hz, a node and its players on two
 * shared cores. 500 players: utilisation 0.37, delay 6 ms, ticks 7 ms late (p99). 1,000: 0.67, 7 ms, 26 ms.
 * 1,500: 0.98, 57 ms, 156 ms, which is where it has too much to do; with 2,000 it is 180 ms, 2 s, and the lease
 * is lost. Single samples lie far apart there (utilisation from 0.80 on, delay from 2 ms on), so the gate goes
 * by medians.
 */
import type { OverloadLevel } from "../../shared/protocol/overload.ts";

export const SIGNALS = ["loopDelay", "utilisation", "memory", "slowReaders", "outbox"] as const;
export type Signal = (typeof SIGNALS)[number];
export type Sample = Readonly<Record<Signal, number>>;

export const NOTHING_TO_DO: Sample = {
  loopDelay: 0,
  utilisation: 0,
  memory: 0,
  slowReaders: 0,
  outbox: 0,
};

export type Rung = Exclude<OverloadLevel, "calm">;

export interface Threshold {
  /** At or above it the level is entered, in time. */
  readonly enter: number;
  /** The level is left, in time, once the signal is below it. */
  readonly leave: number;
}

/** A signal without a threshold for a level never leads there, nor holds it. */
export const THRESHOLDS: Readonly<Record<Signal, Readonly<Partial<Record<Rung, Threshold>>>>> = {
  /**
   * Delay of the event loop, 99th percentile over half a second, in shares of `OVERLOAD_LOOP_DELAY_MS`, which
   * is 40: from there on ticks of 50 ms begin to be late; at 100 ms some are dropped, at 200 ms players see it in
   * every movement. Pauses of the garbage collector and of other processes were up to 90 ms, one at a time.
   */
  loopDelay: {
    slow_patches: { enter: 1, leave: 0.4 },
    no_rooms: { enter: 1.5, leave: 0.6 },
    no_seats: { enter: 2.5, leave: 1 },
    shed: { enter: 5, leave: 2 },
  },
  /**
   * Of one thread, 0 to 1: how long the event loop was busy, or the CPU time if that is less. A loop that is
   * busy because others have the CPU has not more to do than it can, and what that does to players is in its
   * delay. At half of the patch rate a node with 900 players took 0.24 of a core instead of 0.43; so what is
   * too much at the full rate looks like 0.5 then, and `slow_patches` is left below that only. A thread that
   * is busy and in time harms nobody, so this alone sheds nobody.
   */
  utilisation: {
    slow_patches: { enter: 0.85, leave: 0.45 },
    no_rooms: { enter: 0.92, leave: 0.6 },
    no_seats: { enter: 0.97, leave: 0.7 },
  },
  /**
   * Share of what the process may have (`memory-share.ts`). A full node of arenas has 0.2 GB; it is leaks and
   * large states that come here. Memory is given back late, hence the narrow bands; above 0.95 the kernel
   * may end the process at any moment, with everybody in it.
   */
  memory: {
    slow_patches: { enter: 0.75, leave: 0.7 },
    no_rooms: { enter: 0.8, leave: 0.75 },
    no_seats: { enter: 0.85, leave: 0.8 },
    shed: { enter: 0.93, leave: 0.88 },
  },
  /**
   * Share of the players who read slower than their rooms write (`signals.ts`). A few always do; when a tenth
   * does, it is not their networks but the node's, and patches at half the rate are half of the bytes.
   * No further: a dozen clients that don't read on purpose must not close a node to everybody. What their
   * backlogs take is bounded for each, and counts as memory.
   */
  slowReaders: {
    slow_patches: { enter: 0.1, leave: 0.03 },
    no_rooms: { enter: 0.2, leave: 0.1 },
  },
  /**
   * Outbox lag, as the share of its limits that is taken. Not its age: that only says that the core is away, and
   * then nothing changes for players in rooms. At half new players would add to what soon is refused; whom the
   * node ended would make it no shorter, so nobody is shed for it.
   */
  outbox: {
    slow_patches: { enter: 0.5, leave: 0.3 },
    no_rooms: { enter: 0.6, leave: 0.4 },
    no_seats: { enter: 0.75, leave: 0.5 },
  },
};

/** How long a signal must stand at or above `enter` before that level is entered from the one below it. */
export const HOLD_MS: Readonly<Record<Rung, number>> = {
  slow_patches: 1_500,
  no_rooms: 2_000,
  no_seats: 2_000,
  // The levels before it need some time to help, and what is ended is not brought back.
  shed: 4_000,
};
/**
 * How long every signal must stay below `leave` before a level is left for the one below it. Shorter where players
 * wait outside: a wave of joins is heavy while it lasts, and over soon.
 */
export const CALM_MS: Readonly<Record<Rung, number>> = {
  slow_patches: 10_000,
  no_rooms: 5_000,
  no_seats: 5_000,
  shed: 10_000,
};
/** How often signals are sampled: as often as the core is told of them. */
export const SAMPLE_MS = 500;
/** A signal is the median of so many samples: a single pause, however long, is no overload. */
export const MEDIAN_OF = 5;
/**
 * So much time passes at most between two samples, as far as the gate is concerned: a process that was
 * stopped for a minute has not stood above anything for a minute.
 */
export const GAP_MAX_MS = 1_500;
/** Between two steps of shedding. */
export const SHED_PERIOD_MS = 1_000;
