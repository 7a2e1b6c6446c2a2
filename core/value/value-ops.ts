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
import type { ValueAnswer, ValueRequest } from "../../shared/protocol/value.ts";
import { decide, touchedBy } from "../../shared/value/value-step.ts";
import type { Database, Sql, Tx } from "../db/database.ts";
import { decideTogether, fenced } from "./decide-together.ts";
import { GroupCommit, type Outcome } from "./group-commit.ts";
import * as store from "./value-store.ts";

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

/** Undoes the transaction: the operation was decided before, or is so at this moment by another. */
class DecidedElsewhere extends Error {}

export class ValueOps {
  readonly #deps: ValueOpsDeps;
  readonly #outcomes: Counter<"outcome">;
  readonly #groups = new GroupCommit<ValueRequest, Applied>({
    alone: (request) => this.#applyOnce(request),
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
   *   the id was used with another body
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

  async #applyTogether(requests: readonly ValueRequest[]): Promise<Outcome<Applied>[] | undefined> {
    const { database, clock } = this.#deps;
    const at = new Date(clock.nowMs());
    try {
      const outcomes = await database.transaction(async (tx) => {
        const decided = await decideTogether(tx, requests, at);
        if (!decided) throw new DecidedElsewhere();
        return decided;
      });
      return outcomes.map((outcome) =>
        "answer" in outcome ? { answer: { answer: outcome.answer, again: false } } : outcome,
      );
    } catch (error) {
      // What the world did fails them all, and each is asked for again. Anything else is one's own.
      if (isFailure(error)) throw error;
      return undefined;
    }
  }

  async #applyOnce(request: ValueRequest): Promise<Applied> {
    const { database } = this.#deps;
    try {
      const answer = await database.transaction((tx) => this.#decide(tx, request));
      return { answer, again: false };
    } catch (error) {
      if (!(error instanceof DecidedElsewhere)) throw error;
    }
    return { answer: await this.#answerAgain(database, request), again: true };
  }

  async #decide(tx: Tx, { op, ...owner }: ValueRequest): Promise<ValueAnswer> {
    // Sent together, and carried out in this order.
    const [opSeq, touched] = await Promise.all([
      store.takeOpSeq(tx, owner),
      store.lockTouched(tx, touchedBy(op.changes)),
    ]);
    if (opSeq === undefined) {
      throw fenced();
    }
    const at = new Date(this.#deps.clock.nowMs());
    const decision = decide(op.changes, touched);
    const { refusal } = decision;
    const { roomId } = owner;
    const inserting = store.insertOp(tx, op, { roomId, opSeq, refusal, at });
    if (decision.refusal) {
      if (!(await inserting)) throw new DecidedElsewhere();
      return { outcome: "refused", opSeq, refusal: decision.refusal };
    }
    const { committed } = decision;
    const pays = committed.wallets.length > 0;
    const [first, wallets, written] = await Promise.all([
      inserting,
      pays ? store.book(tx, op.id, committed, at) : [],
      store.writeItems(tx, op.id, committed),
    ]);
    if (!first || !written) throw new DecidedElsewhere();
    return { outcome: "committed", opSeq, wallets };
  }

  async #answerAgain(sql: Sql, { op }: ValueRequest): Promise<ValueAnswer> {
    const before = await store.selectOp(sql, op.id);
    // Its rows were taken by another operation at this moment, which is over now.
    if (!before) throw new MeridianError("unavailable", { retryAfterMs: 0 });
    if (!isDeepStrictEqual(before.body, op.changes)) throw new MeridianError("conflict");
    const opSeq = before.op_seq;
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
