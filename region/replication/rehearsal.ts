/**
 * A standby rehearses a take-over: from time to time it decodes one of its copies and makes the room's state of it, up
 * to where there would be a room, and throws it away. A copy that no room can be made of is found that way while
 * its owner still lives, who is asked for a whole frame. And the code has run before when it is needed: some of it
 * never runs otherwise, and the first times take ten times as long.
 *
 * So it begins with some close to each other. In slices, one copy at a time, the one that waited longest first; not
 * those of large rooms.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { GameName } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { Restoration } from "../rooms/room-restore.ts";
import { type StateClass, stateTypes } from "../rooms/snapshot-schema.ts";
import type { Copy, CopyStore } from "./copy-store.ts";
import type { Slice } from "./slices.ts";

const FIRST_EVERY_MS = 500;
const FIRST_TIMES = 20;
const EVERY_MS = 15_000;
/** The state is made in one piece, which would be felt of a larger one: 50 players of the Arena have 15 KB. */
const FRAME_BYTES_MAX = 64 * 1024;

export interface RehearsalOptions {
  readonly store: Pick<CopyStore, "inTurn" | "distrust">;
  /** Undefined for a game that is none of this node, or whose rooms can't be restored. */
  readonly stateOf: (game: GameName) => StateClass | undefined;
  readonly slice: Slice;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Rehearsal implements Part {
  readonly name = "rehearsal";
  readonly #options: RehearsalOptions;
  readonly #outcomes: Counter<"outcome">;
  #times = 0;
  #cancel: Cancel | undefined;
  #stopped = false;

  constructor(options: RehearsalOptions) {
    this.#options = options;
    this.#outcomes = new Counter({
      name: "meridian_region_rehearsals_total",
      help: "Copies that were restored to see whether they can be: good or bad.",
      labelNames: ["outcome"],
      registers: [options.metrics],
    });
  }

  start(): void {
    this.#later();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #later(): void {
    if (this.#stopped) return;
    const afterMs = this.#times < FIRST_TIMES ? FIRST_EVERY_MS : EVERY_MS;
    this.#cancel = this.#options.clock.after(afterMs, () => void this.#rehearse());
  }

  /** Never rejects. */
  async #rehearse(): Promise<void> {
    const { store, log } = this.#options;
    const copy = store.inTurn();
    const State = copy && this.#options.stateOf(copy.game);
    if (copy && State && copy.firstFrameBytes <= FRAME_BYTES_MAX) {
      this.#times += 1;
      try {
        await this.#restore(copy, State);
        this.#outcomes.inc({ outcome: "good" });
      } catch (err) {
        this.#outcomes.inc({ outcome: "bad" });
        const { roomId, game, ofNode } = copy;
        log.error(
          { err, roomId, game, ofNode, runbook: "region-take-over" },
          "no room can be made of a copy: its owner is asked for a whole one",
        );
        store.distrust(copy);
      }
    }
    this.#later();
  }

  async #restore({ log }: Copy, State: StateClass): Promise<void> {
    const { slice } = this.#options;
    const types = stateTypes(State);
    const replica = await log.replica(types.hash, slice);
    const snapshot = await slice(() => replica.snapshot());
    await slice(() => new Restoration(types, snapshot));
  }
}
