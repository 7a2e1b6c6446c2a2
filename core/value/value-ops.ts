/**
 * Carries out what rooms ask for on wallets and items: each operation in one transaction, once, in the
 * order of its room.
 *
 * The room's row is taken first and shows whether whoever asks still owns the room, in the epoch that it
 * says: a fence or another claim waits for this row, or has been there before. An operation that was
 * decided before, also a refused one, gets the same answer.
 */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { HEARTBEAT_PERIOD_MS } from "../../shared/protocol/link.ts";
import type {
  RoomOps,
  RoomOpsRequest,
  ValueAnswer,
  ValueRequest,
} from "../../shared/protocol/value.ts";
import { type Committed, decide, touchedBy } from "../../shared/value/value-step.ts";
import type { Database, Sql, Tx } from "../db/database.ts";
import { ownRoomOpsAfter } from "./room-ops.ts";
import * as store from "./value-store.ts";

export interface ValueOpsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Undoes the transaction: the operation was decided before, or is so at this moment by another. */
export class DecidedElsewhere extends Error {}

export class ValueOps {
  readonly #deps: ValueOpsDeps;
  readonly #outcomes: Counter<"outcome">;

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
      const { answer, again } = await this.#applyOnce(request);
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

  async #applyOnce(request: ValueRequest): Promise<{ answer: ValueAnswer; again: boolean }> {
    const { database } = this.#deps;
    try {
      const answer = await database.transaction((tx) => this.#decide(tx, request));
      return { answer, again: false };
    } catch (error) {
      if (!(error instanceof DecidedElsewhere)) throw error;
    }
    return { answer: await this.#answerAgain(database, request), again: true };
  }

  async #decide(tx: Tx, request: ValueRequest): Promise<ValueAnswer> {
    const { op, opSeq: heardOf, coreTerm: expected, ...owner } = request;
    const { coreTerm, opSeq } = await store.takeOpSeq(tx, owner, heardOf);
    // Its node knows of another core than this one, and may keep what this one has lost.
    if (expected !== undefined && expected !== coreTerm) throw otherTerm();
    if (opSeq === undefined) {
      throw new MeridianError("fenced", { message: "The room is not this node's any more." });
    }
    const at = new Date(this.#deps.clock.nowMs());
    const wanted = touchedBy(op.changes);
    const decision = decide(op.changes, await store.lockTouched(tx, wanted));
    const { refusal } = decision;
    const { roomId } = owner;
    if (!(await store.insertOp(tx, op, { roomId, opSeq, refusal, at })))
      throw new DecidedElsewhere();
    if (decision.refusal) return { outcome: "refused", opSeq, refusal: decision.refusal };
    const wallets = await writeCommitted(tx, op.id, decision.committed, at);
    return { outcome: "committed", opSeq, wallets };
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

/** Books amounts and moves items. @returns the wallets that it changed; @throws {DecidedElsewhere} */
export async function writeCommitted(tx: Tx, opId: string, committed: Committed, at: Date) {
  const pays = committed.wallets.length > 0;
  const wallets = pays ? await store.book(tx, opId, committed, at) : [];
  if (!(await store.writeItems(tx, opId, committed))) throw new DecidedElsewhere();
  return wallets;
}

/** To be tried again, with the term of the next heartbeat's answer. */
export function otherTerm(): MeridianError {
  return new MeridianError("unavailable", {
    message: "The core's term is another one.",
    retryAfterMs: HEARTBEAT_PERIOD_MS,
  });
}

export async function walletsOf(sql: Sql, { wallets }: Pick<store.Wanted, "wallets">) {
  if (wallets.length === 0) return [];
  const rows = await store.selectWallets(sql, [...new Set(wallets.map((one) => one.playerId))]);
  return rows.filter(({ playerId, currency }) =>
    wallets.some((one) => one.playerId === playerId && one.currency === currency),
  );
}
