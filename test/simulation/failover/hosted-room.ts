/**
 * A room at a node: it ticks, pays its players a coin after the other, each of which has its number in the room for a
 * cause, writes its players' documents, and sends its state to a standby. It does none of that before its claim.
 */
import type { Epoch } from "../../../shared/epoch.ts";
import type { NodeId, PlayerId, RoomId } from "../../../shared/ids.ts";
import type { LoadReply } from "./core-players.ts";
import type { NodeModel } from "./node.ts";

export interface RoomState {
  readonly tick: number;
  /** The number of the last coin that was picked. */
  readonly coins: number;
}

/** What a standby has of a room. */
export interface Copy {
  readonly roomId: RoomId;
  readonly ofNode: NodeId;
  readonly roomEpoch: Epoch;
  readonly state: RoomState;
}

const TICK_MS = 150;
const COIN_TICKS = 3;
const RETRY_MS = 200;
const CALL_MS = 800;
const COINS_UNDER_WAY_MAX = 20;

interface Loaded {
  readonly sessionEpoch: Epoch;
  readonly stateEpoch: Epoch | undefined;
}

export class HostedRoom {
  readonly id: RoomId;
  readonly #node: NodeModel;
  #epoch: Epoch | undefined;
  #state: RoomState;
  #ended = false;
  #underWay = 0;
  readonly players = new Map<PlayerId, Loaded>();

  constructor(node: NodeModel, id: RoomId, state: RoomState) {
    this.#node = node;
    this.id = id;
    this.#state = state;
  }

  get runs(): boolean {
    return this.#epoch !== undefined && !this.#ended && this.#node.serves;
  }

  get epoch(): Epoch | undefined {
    return this.#epoch;
  }

  granted(epoch: Epoch): void {
    if (this.#epoch || this.#ended) return;
    this.#epoch = epoch;
    this.#node.world.truth.roomRuns(this.#node, this.id, epoch);
    this.#node.world.say(
      () => `${this.#node.id} runs ${this.id} ${epoch} from tick ${this.#state.tick}`,
    );
    this.#tick();
  }

  end(): void {
    this.#ended = true;
  }

  isLoaded(playerId: PlayerId): boolean {
    return this.players.get(playerId)?.stateEpoch !== undefined;
  }

  entered(playerId: PlayerId, sessionEpoch: Epoch): void {
    this.left(playerId);
    this.players.set(playerId, { sessionEpoch, stateEpoch: undefined });
    this.#load(playerId, sessionEpoch);
  }

  left(playerId: PlayerId): void {
    const { stateEpoch } = this.players.get(playerId) ?? {};
    this.players.delete(playerId);
    if (stateEpoch) this.#release(playerId, stateEpoch);
  }

  get tick(): number {
    return this.#state.tick;
  }

  #tick(): void {
    if (this.#ended) return;
    const { world } = this.#node;
    if (!world.over) this.#node.after(TICK_MS, () => this.#tick());
    const tick = this.#state.tick + 1;
    const picks = tick % COIN_TICKS === 0 && this.#underWay < COINS_UNDER_WAY_MAX;
    const coins = this.#state.coins + (picks && !world.calm ? 1 : 0);
    if (coins > this.#state.coins) this.#pay(coins);
    this.#state = { tick, coins };
    this.#copy();
    if (tick % COIN_TICKS === 1 && !world.calm) this.#write();
  }

  #copy(): void {
    const { id: ofNode, standbys, world } = this.#node;
    const to =
      standbys[(Number(this.id.slice(4)) + standbys.length) % Math.max(1, standbys.length)];
    const roomEpoch = this.#epoch;
    if (!to || !roomEpoch) return;
    const copy = { roomId: this.id, ofNode, roomEpoch, state: this.#state };
    world.links.send(ofNode, to, () => world.runner(to)(() => world.nodes.get(to)?.keep(copy)));
  }

  #pay(coin: number): void {
    const { world, id: nodeId } = this.#node;
    const { rules } = world.parts;
    const roomEpoch = this.#epoch;
    // Without a lease nothing is sent.
    if (!roomEpoch || !this.#node.leaseHeld) return;
    const cause = `${this.id}/${coin}`;
    const opId = rules.valueNamesCause ? cause : `${cause}/${roomEpoch}`;
    this.#underWay += 1;
    world.links.call<"committed" | "fenced">(
      { from: nodeId, to: "core", deadlineMs: CALL_MS },
      (reply) =>
        world.core.rooms.applyValue({ opId, cause, roomId: this.id, nodeId, roomEpoch }, reply),
      (answer) => {
        this.#underWay -= 1;
        if (answer === "committed") world.truth.coinTold(cause);
        if (answer === "fenced") this.#node.drop(this);
        if (answer === undefined && !this.#ended) {
          this.#node.after(RETRY_MS, () => this.#pay(coin));
        }
      },
    );
  }

  #write(): void {
    const { world, id: nodeId } = this.#node;
    for (const [playerId, { stateEpoch }] of this.players) {
      if (!stateEpoch) continue;
      world.links.send(nodeId, "core", () =>
        world.core.run(() => world.core.players.write(playerId, stateEpoch)),
      );
    }
  }

  #load(playerId: PlayerId, sessionEpoch: Epoch): void {
    const { world, id: nodeId } = this.#node;
    if (this.#ended || this.players.get(playerId)?.sessionEpoch !== sessionEpoch) return;
    const loadId = `${playerId}/${sessionEpoch}/${nodeId}`;
    world.links.call<LoadReply>(
      { from: nodeId, to: "core", deadlineMs: CALL_MS },
      (reply) =>
        reply(world.core.players.load({ loadId, nodeId, playerId, sessionEpoch, collections: [] })),
      (answer) => this.#loaded(playerId, sessionEpoch, answer),
    );
  }

  #loaded(playerId: PlayerId, sessionEpoch: Epoch, answer: LoadReply | undefined): void {
    const granted = Array.isArray(answer) ? (answer as unknown as Epoch) : undefined;
    if (this.#ended || this.players.get(playerId)?.sessionEpoch !== sessionEpoch) {
      if (granted) this.#release(playerId, granted);
      return;
    }
    if (granted) this.players.set(playerId, { sessionEpoch, stateEpoch: granted });
    else if (answer === "taken_over") this.players.delete(playerId);
    else {
      if (typeof answer === "object" && "yours" in answer) this.#release(playerId, answer.yours);
      this.#node.after(RETRY_MS, () => this.#load(playerId, sessionEpoch));
    }
  }

  #release(playerId: PlayerId, stateEpoch: Epoch): void {
    const { world, id: nodeId } = this.#node;
    world.links.call<true>(
      { from: nodeId, to: "core", deadlineMs: CALL_MS },
      (reply) => {
        world.core.players.release(playerId, stateEpoch);
        reply(true);
      },
      (answer) => {
        if (!answer) this.#node.after(RETRY_MS, () => this.#release(playerId, stateEpoch));
      },
    );
  }
}
