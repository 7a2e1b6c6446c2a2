/** Makes legs of what one player is told. Pure, but for what it keeps. */
import type { Leg, LegEnd, Sight } from "./leg.ts";

/** Far more changes of a score than fit into what a failover may lose. */
const MARKS_MAX = 32;
/** Legs that nobody took yet; the oldest go first. */
const LEGS_MAX = 64;

/** Where a leg is. */
export type Place = Pick<
  Leg,
  "player" | "roomId" | "sessionId" | "regionId" | "nodeId" | "beganMs"
>;

/** What the state says of the player, at one look. */
export interface Look extends Sight {
  readonly entityId: string;
  readonly bornTick: number;
  readonly loadedTick: number;
  /** Number of the last input that the room applied. */
  readonly lastInput: number;
}

type Changeable<T> = { -readonly [Key in keyof T]: T[Key] };

export class LegKeeper {
  #ended: Leg[] = [];
  #current: (Changeable<Leg> & { marks: Sight[] }) | undefined;
  #echoFrom = Number.POSITIVE_INFINITY;

  /** Whether an input of the present leg has come back. */
  get isEchoed(): boolean {
    return this.#current?.echoedMs !== undefined;
  }

  /** The present leg, as it is now. */
  get current(): Leg | undefined {
    return this.#current;
  }

  begin(place: Place): void {
    this.end({ how: "broke" });
    this.#echoFrom = Number.POSITIVE_INFINITY;
    this.#current = {
      ...place,
      entityId: "",
      bornTick: 0,
      loadedTick: 0,
      first: undefined,
      last: undefined,
      echoedMs: undefined,
      marks: [],
      end: undefined,
    };
  }

  /** An input was sent: all of a leg's have higher numbers than those before. */
  sent(input: number): void {
    this.#echoFrom = Math.min(this.#echoFrom, input);
  }

  see({ entityId, bornTick, loadedTick, lastInput, ...sight }: Look): void {
    const leg = this.#current;
    if (!leg || sight.tick === 0) return;
    leg.first ??= sight;
    // Not all there before a new room's first tick.
    Object.assign(leg, { entityId, bornTick, loadedTick });
    if (leg.marks.at(-1)?.progress !== sight.progress) leg.marks.push(sight);
    if (leg.marks.length > MARKS_MAX) leg.marks.shift();
    leg.last = sight;
    if (lastInput >= this.#echoFrom) leg.echoedMs ??= sight.atMs;
  }

  /** Nothing happens where no leg goes on. */
  end(end: LegEnd): void {
    const leg = this.#current;
    if (!leg) return;
    this.#current = undefined;
    this.#ended.push({ ...leg, end });
    if (this.#ended.length > LEGS_MAX) this.#ended.shift();
  }

  /** Those that have ended since the last call, and the present one as it is now. */
  take(): Leg[] {
    const taken = this.#ended;
    this.#ended = [];
    if (this.#current) taken.push({ ...this.#current, marks: [...this.#current.marks] });
    return taken;
  }
}
