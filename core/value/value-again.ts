/**
 * Takes in once more what a core of an earlier term had committed: this one may have been restored to a
 * moment before, or be the successor of one that was ahead. What is here already stays as it is; what is
 * not is carried out again, whoever owns the room now: its player was told that it is done.
 *
 * It keeps its place among the room's operations where that is free. Where the room went on without it, it
 * gets the next one, and its owner hears of it by the gap.
 */
import { isDeepStrictEqual } from "node:util";
import { Counter } from "../../shared/metrics.ts";
import type { ValueAgainAnswer, ValueAgainRequest } from "../../shared/protocol/value.ts";
import { decide, touchedBy } from "../../shared/value/value-step.ts";
import type { Tx } from "../db/database.ts";
import { selectCoreTerm } from "../regions/region-store.ts";
import { otherTerm } from "./place.ts";
import type { ValueOpsDeps } from "./value-ops.ts";
import * as store from "./value-store.ts";
import { DecidedElsewhere, writeCommitted } from "./write-committed.ts";

type Outcome = ValueAgainAnswer["outcomes"][number];
type AgainOp = ValueAgainRequest["ops"][number];

/** Undoes the transaction: it can't be carried out now, and may be later. */
class NotNow extends Error {}

export class ValueAgain {
  readonly #deps: ValueOpsDeps;
  readonly #outcomes: Counter<"outcome">;

  constructor(deps: ValueOpsDeps) {
    this.#deps = deps;
    this.#outcomes = new Counter({
      name: "meridian_value_ops_again_total",
      help: "Operations that a core of an earlier term had committed: known, committed again, or refused.",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
  }

  /**
   * One after the other, as they were committed.
   * @throws {MeridianError} `unavailable` when the node knows of another core than this one
   */
  async apply({ coreTerm, ops }: ValueAgainRequest): Promise<ValueAgainAnswer> {
    const outcomes: Outcome[] = [];
    for (const one of ops) {
      const outcome = await this.#apply(one, coreTerm);
      this.#outcomes.inc({ outcome });
      outcomes.push(outcome);
    }
    return { outcomes };
  }

  async #apply(one: AgainOp, coreTerm: number): Promise<Outcome> {
    const { database } = this.#deps;
    const known = await this.#known(one);
    if (known) return known;
    try {
      await database.transaction((tx) => this.#carryOut(tx, one, coreTerm));
      return "committed";
    } catch (error) {
      if (error instanceof NotNow) return "refused";
      if (!(error instanceof DecidedElsewhere)) throw error;
    }
    // Its room sent it at this moment, or an item of it was made by another.
    return (await this.#known(one)) ?? "refused";
  }

  async #known({ op }: AgainOp): Promise<Outcome | undefined> {
    const before = await store.selectOp(this.#deps.database, op.id);
    if (!before) return undefined;
    const same = before.refusal === null && isDeepStrictEqual(before.body, op.changes);
    return same ? "known" : "refused";
  }

  async #carryOut(tx: Tx, { roomId, opSeq, op }: AgainOp, coreTerm: number): Promise<void> {
    if ((await selectCoreTerm(tx)) !== coreTerm) throw otherTerm();
    // The room's row before all others, as every operation takes them.
    await store.raisePlace(tx, roomId, opSeq);
    const taken = await store.isPlaceTaken(tx, roomId, opSeq);
    const place = taken ? await store.takeNextPlace(tx, roomId) : opSeq;
    const decision = decide(op.changes, await store.lockTouched(tx, touchedBy(op.changes)));
    if (decision.refusal) throw new NotNow(decision.refusal);
    const at = new Date(this.#deps.clock.nowMs());
    const decided = { roomId, opSeq: place, refusal: undefined, at };
    if (!(await store.insertOp(tx, op, decided))) throw new DecidedElsewhere();
    await writeCommitted(tx, op.id, decision.committed, at);
  }
}
