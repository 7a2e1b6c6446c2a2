/** The core's end of the outbox on maps, by its own step: for tests that decide when it answers. */
import {
  applyBatch,
  type BatchRows,
  type Checkpoint,
  type DocumentRow,
  documentKey,
  type OwnedPlayer,
  type RefusedItem,
} from "../../core/sync/applier-step.ts";
import type { SyncCalls } from "../../region/outbox/outbox-shard.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import type {
  BatchAnswer,
  BatchRequest,
  CloseProducerAnswer,
  CloseProducerRequest,
  Document,
} from "../../shared/protocol/player-state.ts";

export class MemoryCore implements SyncCalls {
  up = true;
  /** So many answers get lost after the work was done. */
  losesAnswers = 0;
  /** Above that of the players' epochs, whose grants it does not know. */
  coreTerm = 2;
  /** Items of all batches that were applied. */
  items = 0;
  readonly refused: RefusedItem[] = [];
  readonly drained: NodeId[] = [];
  readonly owners = new Map<PlayerId, OwnedPlayer>();
  readonly #checkpoints = new Map<string, Checkpoint>();
  readonly #documents = new Map<string, DocumentRow>();

  fields(playerId: PlayerId, collection: string): Document | undefined {
    return this.#documents.get(documentKey(playerId, collection))?.fields;
  }

  async batch(request: BatchRequest): Promise<BatchAnswer> {
    this.#requireUp();
    const rows: BatchRows = {
      checkpoint: this.#checkpoints.get(request.producerId),
      coreTerm: this.coreTerm,
      players: new Set(request.items.map(({ playerId }) => playerId)),
      owners: this.owners,
      documents: this.#documents,
    };
    const decision = applyBatch(rows, request);
    const { lastSeq, outcome } = decision;
    const standing = { lastSeq, flushedSeq: lastSeq, coreTerm: this.coreTerm };
    if (decision.outcome !== "applied") {
      return { outcome: decision.outcome, ...standing };
    }
    for (const row of decision.documents) {
      this.#documents.set(documentKey(row.playerId, row.collection), row);
    }
    for (const [playerId, owned] of decision.owners) this.owners.set(playerId, owned);
    this.#checkpoints.set(request.producerId, { lastSeq, closed: false });
    this.refused.push(...decision.refused);
    this.items += request.items.length;
    this.#answer();
    return { outcome, ...standing, refused: decision.refused.length } as BatchAnswer;
  }

  async close({ producerId, drainedNode }: CloseProducerRequest): Promise<CloseProducerAnswer> {
    this.#requireUp();
    const { lastSeq } = this.#checkpoints.get(producerId) ?? { lastSeq: 0 };
    this.#checkpoints.set(producerId, { lastSeq, closed: true });
    if (drainedNode) this.drained.push(drainedNode);
    this.#answer();
    return { lastSeq, flushedSeq: lastSeq, coreTerm: this.coreTerm };
  }

  #requireUp(): void {
    if (!this.up) throw new MeridianError("unavailable");
  }

  #answer(): void {
    if (this.losesAnswers === 0) return;
    this.losesAnswers -= 1;
    throw new MeridianError("timeout");
  }
}
