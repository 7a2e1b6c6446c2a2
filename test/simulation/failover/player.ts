/**
 * A player of one room, who does what the client SDK's own step says: plays at a node, notices that it is lost, asks
 * the core where to go on, and looks for the room anew once it is told that it is gone.
 */
import {
  type ConnectionEvent,
  type ConnectionState,
  type Effect,
  initialConnection,
} from "../../../shared/client/connection-state.ts";
import type { Epoch } from "../../../shared/epoch.ts";
import { type ErrorKind, MeridianError } from "../../../shared/errors.ts";
import type { NodeId, PlayerId, RoomId } from "../../../shared/ids.ts";
import type { NodeModel } from "./node.ts";
import type { World } from "./world.ts";

/** How often it looks at its connection; rooms send something that often. */
const LOOK_MS = 300;
const CALL_MS = 1_000;
/** A question for a room that is on its way is held by the core. */
const HELD_MS = 10_000;
const HELD_LOOK_MS = 100;
const ANSWER_MS = 5;
const CONNECT_MS = 10;
/** Some take their time to come. */
const LATE_MS_MAX = 4_000;
/** Of a connection that its node's end has broken, and of one that the node itself ends. */
const BROKEN = { code: 1006, reason: "" };
const SENT_OFF = { code: 1001, reason: "" };

type Ask = Extract<Effect, { type: "ask" }>;

interface Seat {
  readonly nodeId: NodeId;
  readonly sessionEpoch: Epoch;
}

export class PlayerModel {
  readonly id: PlayerId;
  readonly roomId: RoomId;
  readonly #world: World;
  #state: ConnectionState = initialConnection;
  #seat: Seat | undefined;
  /** Where its connection is open. */
  #nodeId: NodeId | undefined;
  /** Where it was last in the room. */
  #former: NodeModel | undefined;
  /** Of the attempt to open a connection; a later one makes it void. */
  #opening = 0;
  /** Nodes that it can't reach, whoever else can. */
  readonly cutFrom = new Set<NodeId>();

  constructor(world: World, id: PlayerId, roomId: RoomId) {
    this.#world = world;
    this.id = id;
    this.roomId = roomId;
    world.schedule.after(1 + world.chance.below(LOOK_MS), () => this.#look());
  }

  get plays(): boolean {
    const node = this.#nodeId ? this.#world.nodes.get(this.#nodeId) : undefined;
    const room = node?.rooms.get(this.roomId);
    return !!room?.runs && room.isLoaded(this.id);
  }

  #look(): void {
    const world = this.#world;
    if (world.over) return;
    world.schedule.after(LOOK_MS, () => this.#look());
    // A person who was told that the room is gone begins again.
    if (this.#state.activity === "none") {
      this.#state = initialConnection;
      this.#dispatch({ type: "join" });
    }
    const node = this.#nodeId ? world.nodes.get(this.#nodeId) : undefined;
    if (!node || this.cutFrom.has(node.id)) return;
    if (this.#isHeard(node)) this.#dispatch({ type: "heard" });
    else if (node.dead && !node.vanished) this.#dispatch({ type: "closed", ...BROKEN });
    else if (node.moves && !node.rooms.has(this.roomId)) {
      this.#dispatch({ type: "closed", ...SENT_OFF });
    }
  }

  #isHeard(node: NodeModel): boolean {
    const room = node.rooms.get(this.roomId);
    return node.moves && !!room?.runs && room.players.has(this.id);
  }

  #dispatch(event: ConnectionEvent): void {
    const { schedule, chance, parts } = this.#world;
    const at = { nowMs: schedule.nowMs, dice: chance.float() };
    const [state, effects] = parts.connectionStep(this.#state, event, at);
    const wakeAtMs = state.wakeAtMs === this.#state.wakeAtMs ? Number.NaN : state.wakeAtMs;
    this.#state = state;
    if (Number.isFinite(wakeAtMs)) this.#wakeAt(wakeAtMs);
    for (const effect of effects) {
      if (effect.type === "ask") this.#ask(effect);
      if (effect.type === "open") this.#open();
      if (effect.type === "retire") this.#retire();
    }
  }

  #wakeAt(wakeAtMs: number): void {
    const world = this.#world;
    world.schedule.after(Math.max(0, wakeAtMs - world.schedule.nowMs), () => {
      if (this.#state.wakeAtMs === wakeAtMs && !world.over) this.#dispatch({ type: "wake" });
    });
  }

  #ask(ask: Ask): void {
    const { schedule, core } = this.#world;
    let answered = false;
    const answer = (event: ConnectionEvent) => {
      if (answered) return;
      answered = true;
      schedule.after(ANSWER_MS, () => this.#dispatch(event));
    };
    const refuse = (kind: ErrorKind) => {
      answer({ type: "refused", serial: ask.serial, error: new MeridianError(kind) });
    };
    const untilMs = schedule.nowMs + HELD_MS;
    const { life } = core;
    core.run(() => {
      const about = ask.unreachable as NodeId | undefined;
      if (about) core.step({ type: "reported", by: this.id, nodeId: about });
      const find = () => {
        if (answered || life !== core.life) return;
        const seat = core.rooms.seat(this.id, this.roomId);
        if (seat === "room_not_found") this.#notFound(ask, refuse);
        else if (seat !== "wait") {
          const { nodeId } = seat;
          const { regionId } = this.#world.node(nodeId);
          this.#seat = seat;
          // In that region no seat is any use to it.
          if (ask.avoid === regionId) refuse("unavailable");
          else answer({ type: "seat", serial: ask.serial, regionId, nodeId });
        } else if (schedule.nowMs >= untilMs) refuse("unavailable");
        else schedule.after(HELD_LOOK_MS, () => core.run(find));
      };
      find();
    });
    // Nobody answers: the core is down, or stands still.
    schedule.after(CALL_MS, () => {
      if (core.down || core.isPaused || life !== core.life) refuse("unavailable");
    });
    schedule.after(HELD_MS + CALL_MS, () => refuse("unavailable"));
  }

  /** Whoever looks for any room has one made. */
  #notFound({ returning }: Ask, refuse: (kind: ErrorKind) => void): void {
    const { core, chance, nodes } = this.#world;
    if (returning) {
      refuse("room_not_found");
      return;
    }
    const healthy = core.healthy();
    if (healthy.length > 0) {
      const node = nodes.get(chance.of(healthy));
      node?.run(() => node.open(this.roomId));
    }
    refuse("unavailable");
  }

  #open(): void {
    const { schedule, chance, calm } = this.#world;
    const seat = this.#seat;
    if (!seat) return;
    this.#opening += 1;
    const opening = this.#opening;
    const arriveMs = chance.once(8) && !calm ? chance.below(LATE_MS_MAX) : CONNECT_MS;
    schedule.after(arriveMs, () => {
      if (opening === this.#opening) this.#arrive(seat, opening);
    });
  }

  #arrive({ nodeId, sessionEpoch }: Seat, opening: number): void {
    const node = this.#world.nodes.get(nodeId);
    if (!node || this.cutFrom.has(nodeId) || node.vanished) return;
    if (node.dead) {
      this.#dispatch({ type: "closed", ...BROKEN });
      return;
    }
    node.run(() => {
      if (opening !== this.#opening) return;
      if (!node.admits(this.roomId)) {
        this.#dispatch({ type: "closed", ...SENT_OFF });
        return;
      }
      const former = this.#former;
      if (former && former !== node) former.run(() => former.rooms.get(this.roomId)?.left(this.id));
      node.rooms.get(this.roomId)?.entered(this.id, sessionEpoch);
      this.#former = node;
      this.#nodeId = node.id;
      this.#dispatch({ type: "opened" });
    });
  }

  #retire(): void {
    this.#opening += 1;
    this.#nodeId = undefined;
  }
}
