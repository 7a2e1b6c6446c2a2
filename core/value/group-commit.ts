/**
 * Lets requests that wait at the same time be carried out together. Whoever comes while nothing is under
 * way goes at once and alone, so that nobody waits for company; while groups are under way the others
 * gather, and go as the next group.
 *
 * A group is an optimisation and decides nothing: one that can't be carried out as a whole is undone, and
 * each of its requests goes alone.
 */
import { MeridianError } from "../../shared/errors.ts";

const GROUP_MAX = 64;
/** More would mostly wait for each other's rooms. */
const GROUPS_UNDER_WAY_MAX = 2;
const WAITING_MAX = 4_096;

export interface GroupWork<Request, Answer> {
  readonly alone: (request: Request) => Promise<Answer>;
  /**
   * The outcomes, in the order of the requests; undefined when nothing was done, and each is to go alone.
   * What it throws is the outcome of them all.
   */
  readonly together: (requests: readonly Request[]) => Promise<Outcome<Answer>[] | undefined>;
}

export type Outcome<Answer> = { readonly answer: Answer } | { readonly error: unknown };

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

export class GroupCommit<Request, Answer> {
  readonly #work: GroupWork<Request, Answer>;
  #waiting: Waiting<Request, Answer>[] = [];
  #underWay = 0;

  constructor(work: GroupWork<Request, Answer>) {
    this.#work = work;
  }

  /** @throws {MeridianError} `unavailable` when too many wait */
  run(request: Request): Promise<Answer> {
    if (this.#waiting.length >= WAITING_MAX) {
      const message = "Too many operations wait for the database.";
      return Promise.reject(new MeridianError("unavailable", { message }));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#underWay >= GROUPS_UNDER_WAY_MAX || this.#waiting.length === 0) return;
    const group = this.#waiting.slice(0, GROUP_MAX);
    this.#waiting = this.#waiting.slice(GROUP_MAX);
    this.#underWay += 1;
    // Its failures are its requests' outcomes.
    void this.#carryOut(group).then(() => {
      this.#underWay -= 1;
      this.#next();
    });
  }

  async #carryOut(group: readonly Waiting<Request, Answer>[]): Promise<void> {
    const outcomes = await this.#outcomesOf(group);
    for (const [index, { resolve, reject }] of group.entries()) {
      const outcome = outcomes[index];
      if (outcome && "answer" in outcome) resolve(outcome.answer);
      else reject(outcome?.error ?? new Error("an operation of a group has no outcome"));
    }
  }

  async #outcomesOf(group: readonly Waiting<Request, Answer>[]): Promise<Outcome<Answer>[]> {
    const { alone, together } = this.#work;
    const requests = group.map(({ request }) => request);
    const failed = (error: unknown) => ({ error });
    if (requests.length > 1) {
      try {
        const outcomes = await together(requests);
        if (outcomes) return outcomes;
      } catch (error) {
        return requests.map(() => failed(error));
      }
    }
    return Promise.all(
      requests.map((request) => alone(request).then((answer) => ({ answer }), failed)),
    );
  }
}
