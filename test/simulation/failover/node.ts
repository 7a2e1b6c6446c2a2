/**
 * A region's node in one life: it beats, holds a lease, runs rooms and copies them to a standby, keeps copies of
 * others' rooms and goes on with them when it is asked to, looks at others, and ends all that when it hears that it
 * is fenced. It may die, vanish with its machine, or stand still.
 */
import { type Lease, NO_LEASE } from "../../../region/link/lease.ts";
import { LIFE_UNKNOWN, type RegionLife } from "../../../region/link/region-life.ts";
import type { Epoch } from "../../../shared/epoch.ts";
import type { NodeId, RegionId, RoomId } from "../../../shared/ids.ts";
import { LEASE_MS } from "../../../shared/protocol/link.ts";
import type { Beat, Claim } from "./core.ts";
import { type Copy, HostedRoom, type RoomState } from "./hosted-room.ts";
import type { World } from "./world.ts";

const BEAT_MS = 500;
const CALL_MS = 800;
const CLAIM_RETRY_MS = 150;
const WITNESS_MS = 100;

export class NodeModel {
  readonly world: World;
  readonly id: NodeId;
  readonly regionId: RegionId;
  readonly slot: number;
  dead = false;
  /** Its machine is gone too: nothing refuses connections. */
  vanished = false;
  /** It has heard that it is fenced, and serves nothing any more. */
  fenced = false;
  readonly rooms = new Map<RoomId, HostedRoom>();
  readonly copies = new Map<RoomId, Copy>();
  /** Since when it has a copy of the room's present owner. */
  readonly keptSinceMs = new Map<RoomId, number>();
  standbys: readonly NodeId[] = [];
  #life: RegionLife = LIFE_UNKNOWN;
  #lease: Lease = NO_LEASE;
  #sequence = 0;
  #paused = false;
  #deferred: (() => void)[] = [];
  /** Since when it lives and moves without a break. */
  movingSinceMs: number;
  readonly bornMs: number;
  endedMs = Number.NEGATIVE_INFINITY;
  /** How far its wall clock is off. */
  readonly skewMs: number;

  constructor(
    world: World,
    where: { id: NodeId; regionId: RegionId; slot: number; skewMs: number },
  ) {
    this.world = world;
    this.id = where.id;
    this.regionId = where.regionId;
    this.slot = where.slot;
    this.skewMs = where.skewMs;
    this.movingSinceMs = world.schedule.nowMs;
    this.bornMs = world.schedule.nowMs;
    this.after(1 + world.chance.below(BEAT_MS), () => this.#beat());
  }

  get serves(): boolean {
    return !this.dead && !this.fenced;
  }

  get moves(): boolean {
    return !this.dead && !this.#paused;
  }

  /** Now, or when the node moves again; never when it is dead. */
  run(work: () => void): void {
    if (this.dead) return;
    if (this.#paused) this.#deferred.push(work);
    else work();
  }

  after(delayMs: number, work: () => void): void {
    this.world.schedule.after(delayMs, () => this.run(work));
  }

  die(vanishes: boolean): void {
    if (this.dead) return;
    this.dead = true;
    this.vanished = vanishes;
    this.endedMs = this.world.schedule.nowMs;
    this.world.say(() => `${this.id} ${vanishes ? "vanishes" : "dies"}`);
    this.world.replace(this);
  }

  pause(forMs: number): void {
    if (this.#paused || this.dead) return;
    this.#paused = true;
    this.world.say(() => `${this.id} stands still for ${forMs}`);
    this.world.schedule.after(forMs, () => {
      this.#paused = false;
      this.movingSinceMs = this.world.schedule.nowMs;
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const work of deferred) this.run(work);
    });
  }

  get leaseHeld(): boolean {
    return this.world.parts.leaseHeld(this.#lease, this.#clockMs());
  }

  /** Whether a player who comes gets in. */
  admits(roomId: RoomId): boolean {
    const { rules } = this.world.parts;
    if (!this.rooms.get(roomId)?.runs) return false;
    if (rules.leaseBeforeSeats && !this.leaseHeld) return false;
    this.world.truth.seatGranted(this);
    return true;
  }

  /** A room that somebody asked for first. */
  open(roomId: RoomId): void {
    if (!this.leaseHeld || this.rooms.has(roomId)) return;
    this.#host(roomId, { tick: 0, coins: 0 }, { claimId: `new ${this.world.nextNumber()}` });
  }

  /** Goes on with a copy, if there is one. */
  takeOver({ roomId, ofNode, roomEpoch }: Omit<Copy, "state">): void {
    const { parts } = this.world;
    if (this.fenced || (this.rooms.has(roomId) && parts.rules.takeOverOnce)) return;
    const copy = this.copies.get(roomId);
    if (!copy || copy.ofNode !== ofNode || String(copy.roomEpoch) !== String(roomEpoch)) return;
    const { onTakeOver } = this.world;
    this.world.onTakeOver = undefined;
    onTakeOver?.(this);
    const claimId = `${roomId} of ${ofNode} ${roomEpoch} by ${this.id}`;
    this.#host(roomId, copy.state, { claimId, formerEpoch: roomEpoch });
  }

  keep(copy: Copy): void {
    const before = this.copies.get(copy.roomId);
    const order = before ? this.world.parts.compareEpochs(before.roomEpoch, copy.roomEpoch) : -1;
    if (order > 0 || (order === 0 && before && before.state.tick > copy.state.tick)) return;
    if (order !== 0) this.keptSinceMs.set(copy.roomId, this.world.schedule.nowMs);
    this.copies.set(copy.roomId, copy);
  }

  /** What became of the node that a copy stream led to, or came from: looked at once, told at once. */
  witness(about: NodeId): void {
    this.world.links.look(this.id, about, (saw) => {
      if (saw !== "refused") return;
      this.world.links.send(this.id, "core", () => {
        this.world.core.run(() => this.world.core.told(this.regionId, about, saw));
      });
    });
  }

  /** Another one has it by now. */
  drop(room: HostedRoom): void {
    room.end();
    if (this.rooms.get(room.id) === room) this.rooms.delete(room.id);
  }

  #host(
    roomId: RoomId,
    state: RoomState,
    { claimId, formerEpoch }: { claimId: string; formerEpoch?: Epoch },
  ): void {
    const room = new HostedRoom(this, roomId, state);
    this.rooms.set(roomId, room);
    const { id: nodeId } = this;
    const regionEpoch = this.#life.epoch;
    this.#claim(room, { claimId, roomId, nodeId, regionEpoch, formerEpoch });
  }

  #claim(room: HostedRoom, claim: Claim): void {
    this.world.links.call<Epoch | "refused">(
      { from: this.id, to: "core", deadlineMs: CALL_MS },
      (reply) => this.world.core.rooms.claim(claim, reply),
      (answer) => {
        if (this.rooms.get(room.id) !== room || this.fenced) return;
        if (answer === undefined) {
          this.after(CLAIM_RETRY_MS, () => this.#claim(room, claim));
        } else if (answer === "refused") this.rooms.delete(room.id);
        else room.granted(answer);
      },
    );
  }

  #beat(): void {
    if (this.fenced || this.world.over) return;
    this.after(BEAT_MS, () => this.#beat());
    this.#sequence += 1;
    const sentMs = this.#clockMs();
    const beat: Beat = {
      nodeId: this.id,
      sequence: this.#sequence,
      servesIn: this.#life.epoch,
      wallMs: this.world.schedule.nowMs + this.skewMs,
    };
    this.world.links.call<BeatAnswer>(
      { from: this.id, to: "core", deadlineMs: CALL_MS },
      (reply) => this.world.core.heartbeat(beat, reply),
      (answer) => {
        if (answer === undefined || this.fenced) return;
        if (answer === "stale") this.#end("it is fenced");
        else this.#answered(answer, sentMs);
      },
    );
    for (const source of new Set([...this.copies.values()].map(({ ofNode }) => ofNode))) {
      const node = this.world.nodes.get(source);
      // The stream of its copies ends with its process.
      if (node?.dead && !node.vanished) this.after(WITNESS_MS, () => this.witness(source));
    }
  }

  #answered(answer: Exclude<BeatAnswer, "stale">, sentMs: number): void {
    const { parts } = this.world;
    const { life, over } = parts.lifeAfter(this.#life, answer);
    this.#life = life;
    this.standbys = answer.standbys;
    if (over) {
      for (const room of this.rooms.values()) room.end();
      this.rooms.clear();
    }
    if (life.fenced) return;
    const fromMs = parts.rules.leaseFromSending ? sentMs : this.#clockMs();
    const sentAtMs = parts.rules.monotonicLease ? fromMs : answer.wallMs;
    this.#lease = parts.renewLease(this.#lease, { sentAtMs, leaseMs: LEASE_MS });
  }

  #end(why: string): void {
    this.world.say(() => `${this.id} ends: ${why}`);
    this.fenced = true;
    this.endedMs = this.world.schedule.nowMs;
    this.#lease = NO_LEASE;
    for (const room of this.rooms.values()) room.end();
    this.rooms.clear();
    this.copies.clear();
    this.world.replace(this);
  }

  #clockMs(): number {
    const { nowMs } = this.world.schedule;
    return this.world.parts.rules.monotonicLease ? nowMs : nowMs + this.skewMs;
  }
}

export type BeatAnswer =
  | "stale"
  | {
      readonly regionEpoch: Epoch;
      readonly wanted: "active";
      readonly standbys: readonly NodeId[];
      /** By the core's own wall clock. */
      readonly wallMs: number;
    };
