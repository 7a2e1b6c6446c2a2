/** A player of one room: plays at a node, notices that it has lost it, and asks the core where to go on. */
import type { Epoch } from "../../../shared/epoch.ts";
import type { NodeId, PlayerId, RoomId } from "../../../shared/ids.ts";
import type { Seat } from "./core-rooms.ts";
import type { NodeModel } from "./node.ts";
import type { World } from "./world.ts";

const STEP_MS = 300;
const SUSPECTS_AFTER_MS = 1_500;
const CALL_MS = 1_000;
/** Some take their time to come. */
const LATE_MS_MAX = 4_000;

export class PlayerModel {
  readonly id: PlayerId;
  readonly roomId: RoomId;
  readonly #world: World;
  #nodeId: NodeId | undefined;
  #heardMs = 0;
  #asking = false;
  /** Nodes that it can't reach, whoever else can. */
  readonly cutFrom = new Set<NodeId>();

  constructor(world: World, id: PlayerId, roomId: RoomId) {
    this.#world = world;
    this.id = id;
    this.roomId = roomId;
    world.schedule.after(1 + world.chance.below(STEP_MS), () => this.#step());
  }

  get plays(): boolean {
    const node = this.#nodeId ? this.#world.nodes.get(this.#nodeId) : undefined;
    const room = node?.rooms.get(this.roomId);
    return !!room?.runs && room.isLoaded(this.id);
  }

  #step(): void {
    const world = this.#world;
    if (world.over) return;
    world.schedule.after(STEP_MS, () => this.#step());
    const { nowMs } = world.schedule;
    const nodeId = this.#nodeId;
    if (nodeId && this.#hears(nodeId)) this.#heardMs = nowMs;
    else if (!nodeId || nowMs - this.#heardMs >= SUSPECTS_AFTER_MS) this.#ask();
  }

  #hears(nodeId: NodeId): boolean {
    const node = this.#world.nodes.get(nodeId);
    const room = node?.rooms.get(this.roomId);
    return !!node?.moves && !this.cutFrom.has(nodeId) && !!room?.runs && room.players.has(this.id);
  }

  #ask(): void {
    const { schedule, core } = this.#world;
    if (this.#asking) return;
    this.#asking = true;
    const lost = this.#nodeId;
    core.run(() => {
      if (lost) core.step({ type: "reported", by: this.id, nodeId: lost });
      const seat = core.rooms.seat(this.id, this.roomId);
      schedule.after(5, () => this.#told(seat));
    });
    schedule.after(CALL_MS, () => {
      this.#asking = false;
    });
  }

  #told(seat: Seat): void {
    const { core, chance, nodes } = this.#world;
    this.#asking = false;
    if (seat === "wait") return;
    if (seat === "room_not_found") {
      const healthy = core.down ? [] : core.healthy();
      if (healthy.length > 0) {
        const node = nodes.get(chance.of(healthy));
        node?.run(() => node.open(this.roomId));
      }
      return;
    }
    const { nodeId, sessionEpoch } = seat;
    const node = nodes.get(nodeId);
    const former = this.#nodeId ? nodes.get(this.#nodeId) : undefined;
    if (this.cutFrom.has(nodeId)) return;
    this.#asking = true;
    const { calm } = this.#world;
    const arriveMs = chance.once(8) && !calm ? chance.below(LATE_MS_MAX) : 10;
    this.#world.schedule.after(arriveMs, () => this.#arrive(node, former, sessionEpoch));
  }

  #arrive(node: NodeModel | undefined, former: NodeModel | undefined, sessionEpoch: Epoch): void {
    this.#asking = false;
    node?.run(() => {
      if (!node.admits(this.roomId)) return;
      if (former && former !== node) former.run(() => former.rooms.get(this.roomId)?.left(this.id));
      node.rooms.get(this.roomId)?.entered(this.id, sessionEpoch);
      this.#nodeId = node.id;
      this.#heardMs = this.#world.schedule.nowMs;
    });
  }
}
