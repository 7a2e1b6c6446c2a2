/** For tests: players' state in a real database, with nodes that live or not as the test says. */
import { randomBytes } from "node:crypto";
import { systemClock } from "../../shared/clock.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { NodeId, PlayerId, RegionId, uuidV7 } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import {
  BatchRequest,
  type Document,
  LoadRequest,
  type OutboxItem,
  type StateChange,
  type WantedPlayer,
} from "../../shared/protocol/player-state.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { CallGate } from "../http/call-gate.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import { partsOf } from "../regions/registry-step.ts";
import type { Sender } from "./batch-apply.ts";
import { OwnerLives } from "./owner-lives.ts";
import { PlayerStates } from "./player-states.ts";
import { RefusedChanges } from "./refused-changes.ts";

export type TestStates = Awaited<ReturnType<typeof startTestStates>>;

export const beijing1: Sender = senderOf("beijing-1");
export const beijing2: Sender = senderOf("beijing-2");
export const shanghai1: Sender = senderOf("shanghai-1");

export function senderOf(node: string): Sender {
  const nodeId = NodeId.parse(node);
  return { nodeId, regionId: RegionId.parse(partsOf(nodeId).region) };
}

/** A change of `stats` that adds. */
export function adding(
  playerId: PlayerId,
  stateEpoch: Epoch,
  add: Record<string, number>,
): StateChange {
  return { playerId, stateEpoch, collection: "stats", format: 1, add };
}

export function setting(playerId: PlayerId, stateEpoch: Epoch, set: Document): StateChange {
  return { playerId, stateEpoch, collection: "stats", format: 1, set };
}

export function release(playerId: PlayerId, stateEpoch: Epoch): OutboxItem {
  return { playerId, stateEpoch, release: true };
}

export async function startTestStates(options: { readonly refusedKeptMax?: number } = {}) {
  const created = await startTestDatabase();
  const { database } = created;
  const metrics = createMetrics({});
  const log = createLog("test", "silent");
  const common = { clock: systemClock, log, metrics };
  const keptMax = options.refusedKeptMax;
  const refused = new RefusedChanges({
    database,
    ...common,
    ...(keptMax !== undefined && { keptMax }),
  });
  const alive = new Set<NodeId>([beijing1.nodeId, beijing2.nodeId, shanghai1.nodeId]);
  /** Only what is looked at. */
  const record = (nodeId: NodeId) => ({ nodeId, alive: true, receivedMs: 0 }) as NodeRecord;
  const livesClock = new FakeClock();
  let coreTerm = 1;
  let loads = 0;
  const wanted: (WantedPlayer & { readonly nodeId: NodeId })[] = [];
  const states = new PlayerStates({
    database,
    refused,
    lives: new OwnerLives((id) => (alive.has(id) ? record(id) : undefined), livesClock),
    loadGate: new CallGate({ calls: "player_loads", underWayMax: 100, ...common }),
    coreTerm: () => coreTerm,
    wanted: (nodeId, player) => wanted.push({ nodeId, ...player }),
    ...common,
  });

  return {
    ...created,
    states,
    refused,
    metrics,
    wanted,
    alive,
    livesClock,
    raiseTerm(term: number): void {
      coreTerm = term;
    },

    async newPlayer(): Promise<PlayerId> {
      const id = PlayerId.parse(uuidV7(Date.now(), randomBytes(10)));
      await database.run(
        "insert into players (id, name, ephemeral, created_at) values ($1, 'Ada', false, now())",
        [id],
      );
      await database.run(
        `insert into sessions (player_id, epoch_term, epoch_n, updated_at)
         values ($1, 1, 1000000, now())`,
        [id],
      );
      return id;
    },

    /** A load of a new session, unless the change says otherwise. */
    load(playerId: PlayerId, by: Sender, change: Partial<LoadRequest> = {}) {
      loads += 1;
      const request = LoadRequest.parse({
        loadId: `load-number-${loads}`,
        nodeId: by.nodeId,
        playerId,
        sessionEpoch: [1, loads],
        collections: ["stats", "quests"],
        ...change,
      });
      return states.load(by.regionId, request);
    },

    batch(producer: string, [fromSeq, toSeq]: readonly [number, number], items: OutboxItem[]) {
      const batch = BatchRequest.parse({ producerId: producer, fromSeq, toSeq, items });
      return states.applyBatch(senderOf(producer.slice(0, producer.indexOf("/"))), batch);
    },

    async fields(playerId: PlayerId, collection = "stats"): Promise<Document | undefined> {
      const [row] = await database.rows<{ fields: Document }>(
        "select fields from player_documents where player_id = $1 and collection = $2",
        [playerId, collection],
      );
      return row?.fields;
    },

    refusedOf(playerId: PlayerId): Promise<{ reason: string; item: StateChange }[]> {
      return database.rows(
        "select reason, item from refused_changes where player_id = $1 order by id",
        [playerId],
      );
    },
  };
}

/** The epoch of a load that is granted. */
export async function granted(answering: ReturnType<TestStates["load"]>): Promise<Epoch> {
  const answer = await answering;
  if (answer.outcome !== "granted") throw new Error(`the load got ${answer.outcome}`);
  return answer.stateEpoch;
}
