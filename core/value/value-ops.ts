/**
 * Carries out what rooms ask for on wallets and items: each operation in one transaction, once, in the
 * order of its room. Those that wait at the same time share a transaction (`decide-together.ts`).
 *
 * The room's row is taken first and shows whether whoever asks still owns the room, in the epoch that it
 * says: a fence or another claim waits for this row, or has been there before. An operation that was
 * decided before, also a refused one, gets the same answer.
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type {
  RoomOps,
  RoomOpsRequest,
  ValueAnswer,
  ValueRequest,
} from "../../shared/protocol/value.ts";
import { touchedBy } from "../../shared/value/value-step.ts";
import type { Database, Sql } from "../db/database.ts";
import { decideTogether } from "./decide-together.ts";
import { GroupCommit, type Outcome } from "./group-commit.ts";
import { ownRoomOpsAfter } from "./room-ops.ts";
import * as store from "./value-store.ts";
import { DecidedElsewhere } from "./write-committed.ts";

export interface ValueOpsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

interface Applied {
  readonly answer: ValueAnswer;
  /** Decided before: this is what came of it then. */
  readonly again: boolean;
}

export class ValueOps {
  readonly #deps: ValueOpsDeps;
  readonly #outcomes: Counter<"outcome">;
  readonly #groups = new GroupCommit<ValueRequest, Applied>({
    alone: (request) => this.#applyAlone(request),
    together: (requests) => this.#applyTogether(requests),
  });

  constructor(deps: ValueOpsDeps) {
    this.#deps = deps;
    this.#outcomes = new Counter({
      name: "meridian_value_ops_total",
      help: "Operations on wallets and items: committed, repeated, why refused, or how they failed.",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
  }

  /**
   * @throws {MeridianError} `fenced` when the node does not own the room in that epoch; `conflict` when
   *   the id was used with another body; `unavailable` when the node knows of another core than this one
   */
  async apply(request: ValueRequest): Promise<ValueAnswer> {
    try {
      const { answer, again } = await this.#groups.run(request);
      const first = answer.outcome === "committed" ? "committed" : answer.refusal;
      this.#outcomes.inc({ outcome: again ? "repeated" : first });
      return answer;
    } catch (error) {
      this.#outcomes.inc({ outcome: isFailure(error) ? error.kind : "internal" });
      throw error;
    }
  }

  /** What was committed for a room after a place. @throws {MeridianError} `fenced` for all but its owner */
  async opsAfter({ opSeq, ...owner }: RoomOpsRequest): Promise<RoomOps> {
    return await this.#deps.database.transaction((tx) => ownRoomOpsAfter(tx, owner, opSeq));
  }

  async #applyTogether(requests: readonly ValueRequest[]): Promise<Outcome<Applied>[] | undefined> {
    try {
      return await this.#decide(requests);
    } catch (error) {
      // What the world did fails them all, and each is asked for again. Anything else is one's own.
      if (isFailure(error)) throw error;
      return undefined;
    }
  }

  async #applyAlone(request: ValueRequest): Promise<Applied> {
    try {
      const [outcome] = await this.#decide([request]);
      if (outcome && "answer" in outcome) return outcome.answer;
      throw outcome?.error ?? new Error("an operation has no outcome");
    } catch (error) {
      if (!(error instanceof DecidedElsewhere)) throw error;
    }
    const answer = await this.#answerAgain(this.#deps.database, request);
    return { answer, again: true };
  }

  async #decide(requests: readonly ValueRequest[]): Promise<Outcome<Applied>[]> {
    const { database, clock } = this.#deps;
    const outcomes = await database.transaction((tx) => decideTogether(tx, requests, clock));
    return outcomes.map((outcome) =>
      "answer" in outcome ? { answer: { answer: outcome.answer, again: false } } : outcome,
    );
  }

  async #answerAgain(sql: Sql, { op }: ValueRequest): Promise<ValueAnswer> {
    const before = await store.selectOp(sql, op.id);
    // Its rows were taken by another operation at this moment, which is over now.
    if (!before) throw new MeridianError("unavailable", { retryAfterMs: 0 });
    if (!isDeepStrictEqual(before.body, op.changes)) throw new MeridianError("conflict");
    const opSeq = before.op_seq;
    // A purchase has no place in any room, and no room may use its id.
    if (opSeq === null) throw new MeridianError("conflict");
    if (before.refusal) return { outcome: "refused", opSeq, refusal: before.refusal };
    return { outcome: "committed", opSeq, wallets: await walletsOf(sql, touchedBy(op.changes)) };
  }
}

async function walletsOf(sql: Sql, { wallets }: Pick<store.Wanted, "wallets">) {
  if (wallets.length === 0) return [];
  const rows = await store.selectWallets(sql, [...new Set(wallets.map((one) => one.playerId))]);
  return rows.filter(({ playerId, currency }) =>
    wallets.some((one) => one.playerId === playerId && one.currency === currency),
  );
}
