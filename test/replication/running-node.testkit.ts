/** A node in a process of its own, and what the core would ask of it. */
import { Client } from "@colyseus/sdk";
import type { z } from "zod";
import { Child } from "../../loadtest/bench/rooms/child.ts";
import type { TestCore } from "../../region/link/test-core.ts";
import {
  claimsFor,
  newPlayerId,
  reservationFor,
  signTicket,
} from "../../region/transport/test-tickets.ts";
import { systemClock } from "../../shared/clock.ts";
import {
  GameName,
  NodeId,
  type PlayerId,
  RegionId,
  type RoomId,
  type SessionId,
} from "../../shared/ids.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import {
  CopiesAnswer,
  type CopyName,
  MoveRoomsAnswer,
  type NodeAddress,
  PassCopiesAnswer,
  TakeOverAnswer,
} from "../../shared/protocol/failover.ts";
import { type Heartbeat, ReserveAnswer } from "../../shared/protocol/link.ts";
import { until } from "../until.ts";
import type { NodeAddresses, NodeStart } from "./node.child.ts";
import { TALLY, type TallyState } from "./tally-room.ts";

export interface Seated {
  readonly playerId: PlayerId;
  readonly roomId: RoomId;
  readonly sessionId: SessionId;
  readonly token: string;
}

export class RunningNode {
  readonly nodeId: NodeId;
  readonly #core: TestCore;
  readonly #regionId: RegionId;
  readonly #child: Child;
  readonly #client: LinkClient;
  #addresses: NodeAddresses = { players: "", link: "" };

  constructor(core: TestCore, regionId: string, incarnation: number) {
    this.#core = core;
    this.#regionId = RegionId.parse(regionId);
    this.nodeId = NodeId.parse(`${regionId}-${incarnation}`);
    this.#client = new LinkClient(core.coreIdentity, systemClock);
    this.#child = new Child(new URL("node.child.ts", import.meta.url).href, systemClock);
  }

  async start(capacity = 10): Promise<this> {
    const settings: NodeStart = {
      coreAddress: this.#core.address,
      credentials: await this.#core.credentialsOf(this.#regionId),
      regionId: this.#regionId,
      nodeId: this.nodeId,
      capacity,
    };
    this.#addresses = await this.#child.ask<NodeAddresses>("start", settings);
    await until("the node's heartbeats", () => this.heartbeat);
    return this;
  }

  get address(): NodeAddress {
    return { nodeId: this.nodeId, linkAddress: this.#addresses.link };
  }

  /** The last one. */
  get heartbeat(): Heartbeat | undefined {
    return this.#core.heartbeats.findLast(({ nodeId }) => nodeId === this.nodeId);
  }

  /** Its rooms may be copied to these. */
  copyTo(...nodes: RunningNode[]): void {
    const named = {
      version: nodes
        .map(({ nodeId }) => nodeId)
        .join()
        .slice(0, 32),
      nodes: nodes.map(({ address }) => address),
    };
    this.#core.standbys.set(this.nodeId, named);
  }

  protectedRooms(count: number): Promise<boolean> {
    return until(
      `${count} protected rooms`,
      () => this.heartbeat?.replication?.protectedRooms === count,
    );
  }

  async kill(): Promise<void> {
    await this.#child.kill();
  }

  async end(): Promise<void> {
    await this.#client.stop();
    await this.#child.end();
  }

  /** A player who joins a new room, or that one. */
  async join(roomId?: RoomId) {
    const playerId = newPlayerId();
    const answer = await this.#ask(
      "/link/reserve",
      {
        kind: "seat",
        player: { playerId, name: "Ada", sessionEpoch: [1, 1] },
        game: GameName.parse(TALLY),
        mode: roomId ? "joinById" : "create",
        ...(roomId && { roomId }),
        options: {},
        holdMs: 5_000,
      },
      ReserveAnswer,
    );
    const claims = this.#claims(answer, playerId, {});
    const { reconnectionToken: token, sessionId } = claims;
    const room = await this.#enter(answer, claims);
    const seat: Seated = { playerId, roomId: answer.roomId, sessionId, token };
    return { seat, room };
  }

  /** As a player who was told by the core's `reconnect` that the room is here. */
  async comeBack({ playerId, roomId, sessionId, token }: Seated) {
    const body = { kind: "reconnect", playerId, roomId, sessionId, reconnectionToken: token };
    const answer = await this.#ask("/link/reserve", body, ReserveAnswer);
    const claims = this.#claims(answer, playerId, {
      reconnectionToken: token,
      sessionEpoch: [1, 2],
    });
    return this.#enter(answer, claims, token);
  }

  async copiesOf(ofNode: NodeId) {
    return (await this.#ask("/link/copies", { ofNodes: [ofNode] }, CopiesAnswer)).copies;
  }

  takeOver(rooms: CopyName[]): Promise<TakeOverAnswer> {
    return this.#ask("/link/take-over", { rooms }, TakeOverAnswer);
  }

  passCopies(rooms: CopyName[], to: NodeAddress): Promise<PassCopiesAnswer> {
    return this.#ask("/link/pass-copies", { rooms, to }, PassCopiesAnswer);
  }

  moveRooms(roomIds: RoomId[]): Promise<MoveRoomsAnswer> {
    return this.#ask("/link/move-rooms", { roomIds }, MoveRoomsAnswer);
  }

  #claims(answer: ReserveAnswer, playerId: PlayerId, wrong: Parameters<typeof claimsFor>[2]) {
    return claimsFor(answer, playerId, { regionId: this.#regionId, ...wrong });
  }

  async #enter(answer: ReserveAnswer, claims: ReturnType<typeof claimsFor>, token?: string) {
    const ticket = signTicket(this.#core.signer, claims);
    const reservation = reservationFor(answer, this.#addresses.players, ticket);
    const room = await new Client("ws://127.0.0.1:1").consumeSeatReservation<TallyState>({
      ...reservation,
      ...(token && { reconnectionToken: token }),
    });
    room.reconnection.enabled = false;
    return room;
  }

  #ask<T>(path: string, body: unknown, answer: z.ZodType<T>): Promise<T> {
    const { linkAddress: address } = this.address;
    const peer = { role: "region", regionId: this.#regionId } as const;
    return this.#client.call<T>({ address, peer, path, body, answer, deadlineMs: 8_000 });
  }
}
