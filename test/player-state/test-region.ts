/**
 * For tests: a region's node without rooms. It heartbeats, owns players' documents and makes operations on
 * money, with the parts that nodes are made of, a real Redis and a real link; it can die, or be a zombie.
 */
import { randomBytes } from "node:crypto";
import { startHeartbeats } from "../../loadtest/bench/stand-in-node.ts";
import { regionSettings } from "../../region/config.ts";
import { StateParts } from "../../region/node/state-parts.ts";
import { OutboxStreams } from "../../region/outbox/outbox-streams.ts";
import { outboxAliveKey } from "../../region/redis/keys.ts";
import type { RegionRedis } from "../../region/redis/region-redis.ts";
import { PlayerState } from "../../region/rooms/player-state.ts";
import type { OwnedRoom } from "../../region/rooms/room-value.ts";
import type { Collections } from "../../region/rooms/state-collections.ts";
import { ValueLink } from "../../region/value/value-link.ts";
import { systemClock } from "../../shared/clock.ts";
import { readConfig } from "../../shared/config.ts";
import { EPOCH_NONE, type Epoch } from "../../shared/epoch.ts";
import { GameName, type NodeId, type PlayerId, RegionId, RoomId } from "../../shared/ids.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { ClaimAnswer } from "../../shared/protocol/link.ts";
import { ValueOp } from "../../shared/protocol/value.ts";

export const REGION = RegionId.parse("beijing");

/** A room's place among its operations rises with each answer. */
export type TestedRoom = OwnedRoom & { opSeq: number };

export const collections: Collections = { bag: { format: 1, initial: { gold: 0 } } };
const log = createLog("region", "silent");

/** What may be done to a call before it leaves, or to its answer. */
export type Meddle = (path: string, call: () => Promise<unknown>) => Promise<unknown>;

export class TestRegion {
  readonly nodeId: NodeId;
  readonly parts: StateParts;
  readonly value: ValueLink;
  readonly rooms: TestedRoom[] = [];
  /** What it does to calls of the outbox and loads. */
  meddle: Meddle = (_path, call) => call();
  readonly #client: LinkClient;
  readonly #coreAddress: string;
  readonly #redis: RegionRedis;
  readonly #stopHeartbeats: () => void;
  #isSilent = false;

  private constructor(
    nodeId: NodeId,
    stop: () => void,
    options: {
      readonly client: LinkClient;
      readonly coreAddress: string;
      readonly redis: RegionRedis;
    },
  ) {
    const { client, coreAddress, redis } = options;
    this.nodeId = nodeId;
    this.#client = client;
    this.#coreAddress = coreAddress;
    this.#redis = redis;
    this.#stopHeartbeats = stop;
    const metrics = createMetrics({});
    const common = { nodeId, clock: systemClock, random: Math.random, log, metrics };
    const meddling = {
      call: (call: { readonly path: string }) => {
        return this.meddle(call.path, () => client.call(call as never));
      },
    } as unknown as LinkClient;
    const config = readConfig(regionSettings, {
      REGION_ID: REGION,
      CORE_LINK_ADDRESS: coreAddress,
      REDIS_URL: "redis://127.0.0.1:1",
      LINK_CA_FILE: "-",
      LINK_CERT_FILE: "-",
      LINK_KEY_FILE: "-",
    });
    const streams = new OutboxStreams(redis.outbox.redis, REGION);
    const live = streams.live.bind(streams);
    streams.live = async (node, forMs) => {
      if (!this.#isSilent) await live(node, forMs);
    };
    this.parts = new StateParts({ ...common, config, streams, client: meddling });
    this.value = new ValueLink({
      ...common,
      client,
      coreAddress,
      leaseHeld: () => true,
      rooms: () => this.rooms.map((room) => ({ ...room, game: GAME })),
    });
    for (const part of this.parts.parts()) void part.start?.();
  }

  static async start(
    serial: number,
    options: {
      readonly identity: LinkIdentity;
      readonly coreAddress: string;
      readonly redis: RegionRedis;
    },
  ): Promise<TestRegion> {
    const client = new LinkClient(options.identity);
    const region: { now?: TestRegion } = {};
    const heard = (term: number) => region.now?.termSeen(term);
    const { nodeId, stop } = await startHeartbeats(client, options.coreAddress, serial, heard);
    region.now = new TestRegion(nodeId, stop, { ...options, client });
    return region.now;
  }

  termSeen(coreTerm: number): void {
    this.value.termSeen(coreTerm);
    this.parts.outbox.noteCoreTerm(coreTerm);
  }

  /** The player's documents, once they are this node's. */
  async own(playerId: PlayerId, sessionEpoch: Epoch): Promise<PlayerState> {
    let state: PlayerState | undefined;
    const owned = await this.parts.players.enter({
      playerId,
      sessionEpoch,
      collections: Object.keys(collections),
      onSaved: (revision) => state?.saved(revision),
      onRewrite: () => state?.rewrite(),
    });
    state = new PlayerState(collections, owned);
    return state;
  }

  async claimRoom(): Promise<TestedRoom> {
    const roomId = RoomId.parse(`room-${randomBytes(6).toString("hex")}`);
    const { roomEpoch } = await this.#client.call({
      address: this.#coreAddress,
      peer: { role: "core" },
      path: "/link/claim",
      body: {
        claimId: `claim-${roomId}`,
        roomId,
        game: GAME,
        nodeId: this.nodeId,
        regionEpoch: EPOCH_NONE,
      },
      answer: ClaimAnswer,
      deadlineMs: 5_000,
    });
    const room = { roomId, roomEpoch, opSeq: 0 };
    this.rooms.push(room);
    return room;
  }

  /** @returns the player's balance after it */
  async credit(room: TestedRoom, playerId: PlayerId, amount: number, cause: string) {
    const id = `${room.roomId}/${cause}/${playerId}`;
    const change = { kind: "credit", playerId, currency: "coin", amount } as const;
    const answer = await this.value.apply(room, ValueOp.parse({ id, changes: [change] }));
    room.opSeq = Math.max(room.opSeq, answer.opSeq);
    return answer;
  }

  /** As SIGKILL does it: nothing is sent or written from now on. */
  async die(): Promise<void> {
    this.parts.outbox.stop();
    this.#isSilent = true;
    this.#stopHeartbeats();
    this.value.stop();
    for (const part of this.parts.parts().reverse()) await part.stop?.();
    await this.#redis.outbox.redis.del(outboxAliveKey(REGION, this.nodeId)).catch(() => undefined);
    await this.#client.stop();
  }

  /** Others take it for dead, while it lives on. */
  async fallSilent(): Promise<void> {
    this.#isSilent = true;
    this.#stopHeartbeats();
    await this.#redis.outbox.redis.del(outboxAliveKey(REGION, this.nodeId));
  }
}

const GAME = GameName.parse("arena");
