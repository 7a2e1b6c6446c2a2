/**
 * The core: what it answers to regions about players' state. Each call is one transaction, which reads
 * and decides under its locks, commits a moment later, and is answered after that. It may crash in between.
 */
import { documentKey } from "../../core/sync/applier-step.ts";
import { compareEpochs, EPOCH_NONE, type Epoch, nextEpoch } from "../../shared/epoch.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import type { LoadRequest, ProducerId } from "../../shared/protocol/player-state.ts";
import { CoreDatabase, type OwnerRow } from "./core-database.ts";
import type { Documents } from "./truth.ts";
import { COLLECTIONS } from "./truth.ts";
import type { World } from "./world.ts";

const COMMIT_MS_MAX = 6;
const LOAD_RETRY_MS = 60;
/** A node that was silent for so long is given up: others may load its players. */
export const NODE_GONE_MS = 2_500;
const TICK_MS = 500;

export type LoadReply =
  | { readonly outcome: "granted"; readonly stateEpoch: Epoch; readonly documents: Documents }
  | { readonly outcome: "wait"; readonly retryAfterMs: number; readonly yours: Epoch | undefined }
  | { readonly outcome: "takenOver" };

export interface Work<Answer> {
  readonly write?: ((position: number) => void) | undefined;
  readonly answer: Answer;
}

export class CoreModel {
  readonly world: World;
  readonly database: CoreDatabase;
  term = 1;
  down = false;
  /** Another one after each crash: what was under way before is void. */
  life = 1;
  readonly #seenMs = new Map<NodeId, number>();
  /** Checkpoints that a planted bug writes after their batch. */
  readonly late = new Map<ProducerId, number>();

  constructor(world: World) {
    this.world = world;
    this.database = new CoreDatabase(world.schedule);
    world.truth.onRewind = (undo) => this.database.history.record(undo);
    world.schedule.after(TICK_MS, () => this.#tick());
  }

  heartbeat(nodeId: NodeId, reply: (answer: { coreTerm: number; fenced: boolean }) => void): void {
    this.#seenMs.set(nodeId, this.world.schedule.nowMs);
    reply({ coreTerm: this.term, fenced: this.database.fenced.get(nodeId) === true });
  }

  /** Whatever the node still brings counts only while nobody else has loaded the player. */
  fence(nodeId: NodeId): void {
    if (this.database.fenced.get(nodeId)) return;
    this.world.say(() => `core fences ${nodeId}`);
    this.database.commit(() => this.database.fenced.set(nodeId, true));
    this.world.truth.nodeFenced(nodeId);
  }

  place(playerId: PlayerId, reply: (sessionEpoch: Epoch) => void): void {
    const { sessions } = this.database;
    this.transaction(
      [playerId],
      () => {
        const epoch = nextEpoch(sessions.get(playerId)?.epoch ?? EPOCH_NONE, this.term);
        return { write: () => sessions.set(playerId, { epoch }), answer: epoch };
      },
      (epoch) => {
        this.world.truth.sessionGranted(playerId, epoch);
        reply(epoch);
      },
    );
  }

  load(request: LoadRequest, reply: (answer: LoadReply) => void): void {
    const { rules } = this.world.parts;
    const { playerId, nodeId } = request;
    // From now on it is missed when it falls silent.
    if (!this.#seenMs.has(nodeId)) this.#seenMs.set(nodeId, this.world.schedule.nowMs);
    this.transaction<LoadReply & { grantedAt?: number }>(
      rules.loadsLock ? [playerId] : [],
      () => this.#decideLoad(request),
      (answer, position) => {
        const { grantedAt = position, ...told } = answer;
        if (answer.outcome !== "granted" || !rules.loadsWaitForFlush) reply(told);
        else this.database.whenFlushed(grantedAt, () => reply(told));
      },
    );
  }

  #decideLoad(request: LoadRequest): Work<LoadReply & { grantedAt?: number }> {
    const { world, database } = this;
    const { playerId, nodeId } = request;
    const owner = database.owners.get(playerId);
    const decision = world.parts.decideLoad(
      {
        placedEpoch: database.sessions.get(playerId)?.epoch ?? EPOCH_NONE,
        grantedEpoch: database.sessions.get(playerId)?.epoch ?? EPOCH_NONE,
        owner,
        coreTerm: this.term,
        ownerAlive: owner !== undefined && !database.fenced.get(owner.nodeId),
      },
      request,
    );
    if (decision.outcome === "taken_over") return { answer: { outcome: "takenOver" } };
    if (decision.outcome === "conflict") throw new Error("a load's id was used for two");
    if (decision.outcome === "never_granted") throw new Error("a granted session is not known");
    if (decision.outcome === "wait") return { answer: this.#wait(request, owner as OwnerRow) };
    const documents = this.documentsOf(playerId);
    const { stateEpoch } = decision.owner;
    const answer = { outcome: "granted", stateEpoch, documents } as const;
    if (!decision.isNew) return { answer: { ...answer, grantedAt: owner?.grantedAt ?? 0 } };
    const write = (position: number) => {
      database.owners.set(playerId, { ...decision.owner, grantedAt: position });
      world.truth.granted({ playerId, nodeId, epoch: stateEpoch, documents });
    };
    return { write, answer };
  }

  #wait(request: LoadRequest, owner: OwnerRow): LoadReply {
    const { nodeId, stateEpoch } = owner;
    const own = nodeId === request.nodeId;
    const newer = compareEpochs(request.sessionEpoch, owner.sessionEpoch) > 0;
    if (!own && newer) {
      const wanted = { playerId: request.playerId, sessionEpoch: request.sessionEpoch, stateEpoch };
      this.world.network.fromCore(nodeId, (node) => node.players.wanted(wanted));
    }
    return { outcome: "wait", retryAfterMs: LOAD_RETRY_MS, yours: own ? stateEpoch : undefined };
  }

  documentsOf(playerId: PlayerId): Documents {
    const read = (collection: string) =>
      this.database.documents.get(documentKey(playerId, collection))?.fields ?? {};
    return Object.fromEntries(COLLECTIONS.map((collection) => [collection, read(collection)]));
  }

  transaction<Answer>(
    keys: readonly string[],
    work: () => Work<Answer>,
    reply: (answer: Answer, position: number) => void,
    answersEarly = false,
  ): void {
    const { world, database, life } = this;
    database.lock(keys, () => {
      const { write, answer } = work();
      if (answersEarly) reply(answer, 0);
      world.schedule.after(world.chance.below(COMMIT_MS_MAX), () => {
        if (life !== this.life) return;
        if (write && world.coreCrashes("core: before commit")) return;
        const position = write ? database.commit(write) : 0;
        database.unlock(keys);
        if (write && world.coreCrashes("core: after commit, before its answer")) return;
        if (!answersEarly) reply(answer, position);
      });
    });
  }

  crash(): void {
    this.life += 1;
    this.down = true;
    this.late.clear();
    this.database.dropSessions();
  }

  restart(): void {
    this.down = false;
    // Everybody gets a grace: none was heard by this life.
    for (const nodeId of this.#seenMs.keys()) this.#seenMs.set(nodeId, this.world.schedule.nowMs);
  }

  #tick(): void {
    this.world.schedule.after(TICK_MS, () => this.#tick());
    if (this.down) return;
    for (const [nodeId, seenMs] of this.#seenMs) {
      if (this.world.schedule.nowMs - seenMs > NODE_GONE_MS) this.fence(nodeId);
    }
  }
}
