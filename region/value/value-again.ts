/**
 * After the core's term rose: tells it which rooms are the node's, and sends what it committed before once
 * more, under the same ids. What it has gets the same answer, what it lost is carried out again. New
 * operations wait until each was sent (`settled`): they may spend what the lost ones brought.
 *
 * One that can't be carried out now waits for others (of another region, say) and is tried for
 * `REFUSED_TRIES_MAX` times in the background; then it is lost, which is logged and counted.
 */
import type { Logger } from "pino";
import type { z } from "zod";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import type { Counter } from "../../shared/metrics.ts";
import { ReaffirmRoomsAnswer, type ReaffirmRoomsRequest } from "../../shared/protocol/link.ts";
import { AGAIN_OPS_MAX, ValueAgainAnswer } from "../../shared/protocol/value.ts";
import type { KeptOp, KeptOps } from "./kept-ops.ts";

/** A batch fits into a body of the link. */
const CHANGES_PER_CALL_MAX = 500;
const ROOMS_PER_CALL_MAX = 500;
const DEADLINE_MS = 5_000;
const RETRY_MS = 500;
const REFUSED_RETRY_MS = 2_000;
const REFUSED_TRIES_MAX = 15;

export interface ValueAgainOptions {
  readonly client: LinkClient;
  readonly coreAddress: string;
  readonly nodeId: NodeId;
  readonly kept: KeptOps;
  /** The rooms that the node has. */
  readonly rooms: () => ReaffirmRoomsRequest["rooms"];
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
  readonly outcomes: Counter<"outcome">;
}

export class ValueAgain {
  readonly #options: ValueAgainOptions;
  #term: number | undefined;
  #settling: Promise<void> | undefined;

  constructor(options: ValueAgainOptions) {
    this.#options = options;
  }

  /** Of the core, as far as is known. */
  get term(): number | undefined {
    return this.#term;
  }

  /** Resolves once new operations may be sent. */
  get settled(): Promise<void> {
    return this.#settling ?? Promise.resolve();
  }

  termSeen(term: number): void {
    const before = this.#term;
    if (before !== undefined && term <= before) return;
    this.#term = term;
    if (before === undefined) return;
    const { log, kept } = this.#options;
    log.warn(
      { before, term, kept: kept.count, runbook: "core-restored" },
      "the core's term has risen: sending again what it committed before",
    );
    this.sendAgain();
  }

  /** Also for what was answered by the former core after the new one was heard of. */
  sendAgain(): void {
    this.#settling ??= this.#run().finally(() => {
      this.#settling = undefined;
    });
  }

  async #run(): Promise<void> {
    const { kept, signal } = this.#options;
    const refused: KeptOp[] = [];
    let reaffirmed: number | undefined;
    // The term may rise once more meanwhile, and answers of the former core may still come.
    while (!signal.aborted && (reaffirmed !== this.#term || kept.hasBefore(this.#term ?? 0))) {
      reaffirmed = this.#term;
      await this.#reaffirmRooms();
      refused.push(...(await this.#send(kept.takeBefore(this.#term ?? 0))));
    }
    if (refused.length > 0) void this.#insist(refused);
  }

  async #insist(ops: readonly KeptOp[]): Promise<void> {
    const { clock, signal, log, outcomes } = this.#options;
    let left = ops;
    for (let tries = 0; tries < REFUSED_TRIES_MAX && left.length > 0; tries += 1) {
      await sleep(clock, REFUSED_RETRY_MS, signal);
      if (signal.aborted) return;
      left = await this.#send(left);
    }
    for (const { op } of left) {
      outcomes.inc({ outcome: "lost" });
      log.error(
        { op: op.id, changes: op.changes, runbook: "core-restored" },
        "an operation that was committed can't be carried out again",
      );
    }
  }

  /** @returns those that can't be carried out now */
  async #send(ops: readonly KeptOp[]): Promise<KeptOp[]> {
    const { kept, nodeId, clock, outcomes } = this.#options;
    const refused: KeptOp[] = [];
    for (const batch of batchesOf(ops)) {
      const sent = batch.map(({ roomId, opSeq, op }) => ({ roomId, opSeq, op }));
      let coreTerm = 0;
      const body = () => {
        coreTerm = this.#term ?? 0;
        return { nodeId, coreTerm, ops: sent };
      };
      const answer = await this.#untilAnswered("/link/value-again", body, ValueAgainAnswer);
      batch.forEach((one, index) => {
        const outcome = answer?.outcomes[index] ?? "not_sent";
        outcomes.inc({ outcome: `again_${outcome}` });
        if (outcome === "refused") refused.push(one);
        else kept.add({ ...one, coreTerm }, clock.monotonicMs());
      });
    }
    return refused;
  }

  async #reaffirmRooms(): Promise<void> {
    const { rooms, nodeId, log } = this.#options;
    const ours = rooms();
    for (let from = 0; from < ours.length; from += ROOMS_PER_CALL_MAX) {
      const some = ours.slice(from, from + ROOMS_PER_CALL_MAX);
      const body = () => ({ nodeId, rooms: some });
      const answer = await this.#untilAnswered("/link/reaffirm-rooms", body, ReaffirmRoomsAnswer);
      const held = new Set(answer?.held);
      const lost = some.filter(({ roomId }) => !held.has(roomId)).map(({ roomId }) => roomId);
      if (lost.length === 0) continue;
      log.error(
        { rooms: lost, runbook: "core-restored" },
        "rooms are another's since the core's term has risen",
      );
    }
  }

  /** Undefined when it can't be had: the core does not know the call, or the node ends. */
  async #untilAnswered<T>(
    path: string,
    bodyOf: () => unknown,
    answer: z.ZodType<T>,
  ): Promise<T | undefined> {
    const { client, coreAddress: address, clock, signal, log } = this.#options;
    while (!signal.aborted) {
      try {
        const peer = { role: "core" } as const;
        const body = bodyOf();
        return await client.call<T>({ address, peer, path, body, answer, deadlineMs: DEADLINE_MS });
      } catch (err) {
        if (!isFailure(err) || !err.retryable) {
          log.error({ path, err, runbook: "core-restored" }, "the core refuses what is sent again");
          return undefined;
        }
        await sleep(clock, RETRY_MS, signal);
      }
    }
    return undefined;
  }
}

function batchesOf(ops: readonly KeptOp[]): KeptOp[][] {
  const batches: KeptOp[][] = [];
  let changes = 0;
  for (const one of ops) {
    changes += one.op.changes.length;
    const last = batches.at(-1);
    if (last && last.length < AGAIN_OPS_MAX && changes <= CHANGES_PER_CALL_MAX) last.push(one);
    else {
      batches.push([one]);
      changes = one.op.changes.length;
    }
  }
  return batches;
}
