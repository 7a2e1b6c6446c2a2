/**
 * Loads of players' state in one transaction, each decided as if it were alone (`ownership-step.ts`). The players of a
 * room that goes on elsewhere are loaded together: a transaction for each took most of the time that they were away.
 *
 * Rows are locked in the order of the players' ids, as by batches and fences, so that none waits for another in a
 * circle.
 */
import { EPOCH_NONE } from "../../shared/epoch.ts";
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { LoadRequest, StoredDocument } from "../../shared/protocol/player-state.ts";
import type { Tx } from "../db/database.ts";
import type { DocumentRow } from "./applier-step.ts";
import { RowsChanged } from "./batch-apply.ts";
import * as owners from "./owner-store.ts";
import { decideLoad, type LoadDecision, type Ownership } from "./ownership-step.ts";
import * as store from "./sync-store.ts";

export interface LoadContext {
  readonly regionId: RegionId;
  readonly coreTerm: number;
  /** Whether a node may still write, or have written what was not applied yet. */
  readonly mayWrite: (nodeId: NodeId) => boolean;
  readonly at: Date;
}

export interface Loaded {
  /** `gone`: there is no such account. */
  readonly decision: LoadDecision | { readonly outcome: "gone" };
  /** Of one that was granted. */
  readonly documents: readonly StoredDocument[];
}

/** @returns what came of each, in their order @throws {RowsChanged} to be tried again */
export async function loadInTransaction(
  tx: Tx,
  requests: readonly LoadRequest[],
  { regionId, coreTerm, mayWrite, at }: LoadContext,
): Promise<Loaded[]> {
  const ids = [...new Set(requests.map(({ playerId }) => playerId))].sort();
  const present = new Set(await store.lockPlayers(tx, ids));
  const sessions = await owners.lockSessionEpochs(tx, ids);
  const former = await owners.lockOwnerships(tx, ids);
  const anew = new Map<PlayerId, Ownership>();
  const decisions = requests.map((request): Loaded["decision"] => {
    const { playerId } = request;
    if (!present.has(playerId)) return { outcome: "gone" };
    const granted = anew.get(playerId);
    const owner = granted ?? former.get(playerId);
    const ownerAlive =
      granted !== undefined || (owner?.standing === "held" && mayWrite(owner.nodeId));
    const epochs = sessions.get(playerId) ?? { placedEpoch: EPOCH_NONE, grantedEpoch: EPOCH_NONE };
    const decision = decideLoad({ ...epochs, owner, coreTerm, ownerAlive }, request);
    if (decision.outcome === "granted" && decision.isNew) anew.set(playerId, decision.owner);
    return decision;
  });
  if (anew.size > 0 && !(await owners.writeOwnerships(tx, anew, former, { regionId, at }))) {
    throw new RowsChanged("a player got an owner meanwhile");
  }
  const documents = await documentsFor(
    tx,
    requests.filter((_, index) => decisions[index]?.outcome === "granted"),
  );
  return decisions.map((decision, index) => {
    const request = requests[index];
    const found = decision.outcome === "granted" && request ? documents(request) : [];
    return { decision, documents: found };
  });
}

async function documentsFor(tx: Tx, requests: readonly LoadRequest[]) {
  const ids = requests.flatMap(({ playerId, collections }) =>
    collections.map((collection) => ({ playerId, collection })),
  );
  const rows = ids.length > 0 ? await store.selectDocuments(tx, ids) : [];
  const byPlayer = new Map<PlayerId, DocumentRow[]>();
  for (const row of rows) byPlayer.set(row.playerId, [...(byPlayer.get(row.playerId) ?? []), row]);
  return ({ playerId, collections }: LoadRequest): StoredDocument[] =>
    (byPlayer.get(playerId) ?? [])
      .filter(({ collection }) => collections.includes(collection))
      .sort((a, b) => (a.collection < b.collection ? -1 : 1))
      .map(({ playerId: _, ...document }) => document);
}
