/**
 * Whether a queue keeps its order and its promises, by what those who wait are told. Pure.
 *
 * Who asks after a later number of the same line was called, and still waits, was overtaken: what was heard before the
 * question was asked had happened before the server answered it.
 */
import type { QueuePlace } from "../../../shared/protocol/queue.ts";

export interface Disorder {
  readonly kind: "queue_inversion" | "position_rose";
  readonly words: string;
}

export interface QueueWatch {
  /** An answer to a question that was asked at that moment. */
  heard(place: QueuePlace, askedAtMs: number): void;
}

type Heard = Pick<QueuePlace, "regionId" | "class" | "number" | "state" | "position">;

interface Call {
  readonly number: number;
  readonly heardAtMs: number;
}

export class QueueOrder {
  /** By line: those who were called after all who were called before them, in the order in which it was heard. */
  readonly #calls = new Map<string, Call[]>();
  readonly #positions = new Map<string, number>();

  /** @param askedAtMs when the question was sent that this answers */
  heard(place: Heard, askedAtMs: number, nowMs: number): readonly Disorder[] {
    const line = `${place.regionId} ${place.class}`;
    if (place.state === "called") {
      this.#noteCall(line, place.number, nowMs);
      return [];
    }
    const found = [this.#overtaken(line, place, askedAtMs), this.#fellBack(line, place)];
    return found.filter((disorder) => disorder !== undefined);
  }

  #noteCall(line: string, number: number, heardAtMs: number): void {
    const calls = this.#calls.get(line) ?? [];
    const last = calls.at(-1)?.number ?? Number.NEGATIVE_INFINITY;
    if (number > last) calls.push({ number, heardAtMs });
    this.#calls.set(line, calls);
  }

  #overtaken(line: string, { number }: Heard, askedAtMs: number): Disorder | undefined {
    const by = this.#calls
      .get(line)
      ?.find((call) => call.number > number && call.heardAtMs < askedAtMs);
    if (!by) return undefined;
    return {
      kind: "queue_inversion",
      words: `${by.number} of ${line} was called, and ${number} waits`,
    };
  }

  #fellBack(line: string, { number, position }: Heard): Disorder | undefined {
    if (position === null) return undefined;
    const key = `${line} ${number}`;
    const before = this.#positions.get(key) ?? Number.POSITIVE_INFINITY;
    this.#positions.set(key, position);
    if (position <= before) return undefined;
    return { kind: "position_rose", words: `${key} went back from ${before} to ${position}` };
  }
}
