/**
 * Gives a room's game each operation that was committed, in their order, and closes gaps: an operation that
 * waits for an earlier one longer than `GAP_MS` has the core asked, which knows of both.
 */
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { RoomOp, RoomOps, ValueAnswer, ValueOp } from "../../shared/protocol/value.ts";
import type { OpOrder } from "./op-order.ts";

/** Longer than an answer usually takes to be asked for again. */
const GAP_MS = 2_000;

export interface OpFeedOptions {
  readonly order: () => OpOrder;
  /** Runs the game's hook; throws nothing. */
  readonly give: (op: RoomOp) => void;
  /** What the core has after that place. */
  readonly ask: (opSeq: number) => Promise<RoomOps>;
  readonly clock: Clock;
}

export class OpFeed {
  readonly #options: OpFeedOptions;
  #asking: Cancel | undefined;
  #stopped = false;

  constructor(options: OpFeedOptions) {
    this.#options = options;
  }

  /** Nothing is given any more: what is answered from now on is the next owner's to hear, by its claim. */
  stop(): void {
    this.#stopped = true;
    this.#asking?.();
  }

  answered({ id, changes }: ValueOp, { outcome, opSeq }: ValueAnswer): void {
    if (this.#stopped) return;
    const op = outcome === "committed" ? { opSeq, id, changes } : undefined;
    this.#options.order().note(opSeq, op);
    this.#giveOut();
  }

  learn(roomOps: RoomOps): void {
    if (this.#stopped) return;
    this.#options.order().learn(roomOps);
    this.#giveOut();
  }

  #giveOut(): void {
    const { order, give, clock } = this.#options;
    const ops = order();
    for (let op = ops.take(); op; op = ops.take()) give(op);
    if (!ops.gap) return;
    this.#asking ??= clock.after(GAP_MS, () => {
      void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    const { order, ask } = this.#options;
    let found: RoomOps | undefined;
    if (order().gap) {
      // A failure was counted where the call was made; the gap is still there to ask for.
      found = await ask(order().delivered).catch(() => undefined);
    }
    this.#asking = undefined;
    if (found) this.learn(found);
    else if (!this.#stopped) this.#giveOut();
  }
}
