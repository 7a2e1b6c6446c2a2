/**
 * Questions that many ask of the same peer in the same moment, sent as one call. A peer has few connections, and each
 * carries one call at a time: the players of a room that moved would wait for one another, a round trip for every
 * few of them.
 *
 * The first question waits for `gatherMs`, or until `mostItems` are there. One that stays alone goes its own way, and
 * so do all of them where the peer is of an older build and has no such call.
 */
import type { Cancel, Clock } from "./clock.ts";
import { isFailure } from "./errors.ts";

export interface GatheringOptions<Question, Answer> {
  readonly gatherMs: number;
  readonly mostItems: number;
  readonly alone: (question: Question) => Promise<Answer>;
  /** An answer, or what that question failed with, for each of them in their order; rejects for all of them. */
  readonly together: (questions: readonly Question[]) => Promise<readonly (Answer | Error)[]>;
  readonly clock: Pick<Clock, "after">;
}

interface Asked<Question, Answer> {
  readonly question: Question;
  readonly answered: (answer: Answer) => void;
  readonly failed: (error: unknown) => void;
}

export class Gathering<Question, Answer> {
  readonly #options: GatheringOptions<Question, Answer>;
  #asked: Asked<Question, Answer>[] = [];
  #due: Cancel = () => {};

  constructor(options: GatheringOptions<Question, Answer>) {
    this.#options = options;
  }

  /** @throws what `alone` or `together` do, or the question's own failure */
  ask(question: Question): Promise<Answer> {
    const { clock, gatherMs, mostItems } = this.#options;
    return new Promise((answered, failed) => {
      this.#asked.push({ question, answered, failed });
      if (this.#asked.length === 1) this.#due = clock.after(gatherMs, () => this.#send());
      if (this.#asked.length === mostItems) this.#send();
    });
  }

  #send(): void {
    this.#due();
    const asked = this.#asked;
    this.#asked = [];
    const alone = () => {
      for (const { question, answered, failed } of asked) {
        this.#options.alone(question).then(answered, failed);
      }
    };
    if (asked.length === 1) {
      alone();
      return;
    }
    this.#options.together(asked.map(({ question }) => question)).then(
      (answers) => {
        for (const [index, { answered, failed }] of asked.entries()) {
          const answer = answers[index];
          if (answer === undefined || answer instanceof Error)
            failed(answer ?? new Error("left out"));
          else answered(answer);
        }
      },
      (error: unknown) => {
        if (isFailure(error, "not_found")) alone();
        else for (const { failed } of asked) failed(error);
      },
    );
  }
}
