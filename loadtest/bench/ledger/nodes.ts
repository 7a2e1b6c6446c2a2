/**
 * What region nodes are to the core, and no more: they heartbeat, own rooms, and send operations on the
 * private link with the client that nodes use. Each operation is for a room of many and for players of
 * many, as each transaction of pgbench is for a branch and accounts of many.
 */
import { randomBytes } from "node:crypto";
import type { z } from "zod";
import { Random } from "../../../region/rooms/random.ts";
import { systemClock } from "../../../shared/clock.ts";
import type { Epoch } from "../../../shared/epoch.ts";
import {
  GameName,
  type NodeId,
  nodeIdOf,
  type PlayerId,
  RegionId,
  RoomId,
} from "../../../shared/ids.ts";
import { LinkIdentity } from "../../../shared/link/identity.ts";
import { LinkClient } from "../../../shared/link/link-client.ts";
import {
  ClaimAnswer,
  type ClaimRequest,
  HEARTBEAT_PERIOD_MS,
  Heartbeat,
  HeartbeatAnswer,
} from "../../../shared/protocol/link.ts";
import {
  ValueAnswer,
  type ValueChange,
  ValueOp,
  type ValueRequest,
} from "../../../shared/protocol/value.ts";
import { PROTOCOL_VERSION } from "../../../shared/protocol/version.ts";
import type { CoreReady } from "./core-process.ts";

const REGION = RegionId.parse("beijing");
const GAME = GameName.parse("arena");
/** A node has 16 connections to the core. */
const NODES = 4;
const DEADLINE_MS = 5_000;
const CHANGES_PER_OP = 64;
/** Nobody runs out of it in a benchmark. */
const BALANCE = 1_000_000;

interface OwnedRoom {
  readonly client: LinkClient;
  readonly nodeId: NodeId;
  readonly roomId: RoomId;
  readonly roomEpoch: Epoch;
}

export class Nodes {
  readonly #core: CoreReady;
  readonly #players: readonly PlayerId[];
  readonly #clients: LinkClient[] = [];
  readonly #rooms: OwnedRoom[] = [];
  readonly #beats: NodeJS.Timeout[] = [];
  readonly #dice = Random.fromSeed(1);
  readonly #run = randomBytes(6).toString("hex");
  #made = 0;

  private constructor(core: CoreReady, players: readonly PlayerId[]) {
    this.#core = core;
    this.#players = players;
  }

  /** @param players exist already; each is given money */
  static async start(core: CoreReady, rooms: number, players: readonly PlayerId[]): Promise<Nodes> {
    const nodes = new Nodes(core, players);
    for (let node = 1; node <= NODES; node += 1) await nodes.#addNode(node, rooms / NODES);
    for (let at = 0; at < players.length; at += CHANGES_PER_OP) {
      const some = players.slice(at, at + CHANGES_PER_OP);
      await nodes.#apply(
        some.map((playerId) => ({ kind: "credit", playerId, currency: "coin", amount: BALANCE })),
      );
    }
    return nodes;
  }

  /** @returns how long each operation took, ms */
  async run(callers: number, ms: number, signal: AbortSignal): Promise<number[]> {
    const endMs = systemClock.monotonicMs() + ms;
    const tookMs: number[] = [];
    const call = async () => {
      for (;;) {
        const beganMs = systemClock.monotonicMs();
        if (beganMs >= endMs || signal.aborted) return;
        await this.#apply([this.#anyChange()]);
        tookMs.push(systemClock.monotonicMs() - beganMs);
      }
    };
    await Promise.all(Array.from({ length: callers }, call));
    signal.throwIfAborted();
    return tookMs;
  }

  async stop(): Promise<void> {
    for (const beat of this.#beats) clearInterval(beat);
    await Promise.all(this.#clients.map((client) => client.stop()));
  }

  async #addNode(serial: number, rooms: number): Promise<void> {
    const nodeId = nodeIdOf(REGION, serial);
    const client = new LinkClient(new LinkIdentity(this.#core.region));
    this.#clients.push(client);
    let sequence = 0;
    const beat = () => {
      sequence += 1;
      const body = heartbeatOf(nodeId, serial, sequence);
      return this.#call(client, "/link/heartbeat", body, HeartbeatAnswer);
    };
    await beat();
    // One that fails is followed by the next.
    this.#beats.push(setInterval(() => void beat().catch(() => undefined), HEARTBEAT_PERIOD_MS));
    for (let room = 1; room <= rooms; room += 1) {
      const roomId = RoomId.parse(`ledger-${serial}-${room}`);
      const claim: ClaimRequest = { claimId: `ledger-${roomId}`, roomId, game: GAME, nodeId };
      const { roomEpoch } = await this.#call(client, "/link/claim", claim, ClaimAnswer);
      this.#rooms.push({ client, nodeId, roomId, roomEpoch });
    }
  }

  /** Half of the operations give money, half move it between two players. */
  #anyChange(): ValueChange {
    const from = this.#dice.pick(this.#players);
    const to = this.#dice.pick(this.#players);
    const money = { currency: "coin", amount: 1 };
    return this.#made % 2 === 0 || from === to
      ? { kind: "credit", playerId: from, ...money }
      : { kind: "pay", from, to, ...money };
  }

  async #apply(changes: ValueChange[]): Promise<void> {
    this.#made += 1;
    const { client, ...owner } = this.#dice.pick(this.#rooms);
    const op = ValueOp.parse({ id: `${owner.roomId}/${this.#run}-${this.#made}`, changes });
    const request: ValueRequest = { ...owner, op };
    const answer = await this.#call(client, "/link/value", request, ValueAnswer);
    if (answer.outcome !== "committed") throw new Error(`an operation was ${answer.refusal}`);
  }

  #call<T>(client: LinkClient, path: string, body: unknown, answer: z.ZodType<T>): Promise<T> {
    const { link: address } = this.#core;
    const peer = { role: "core" } as const;
    return client.call({ address, peer, path, body, answer, deadlineMs: DEADLINE_MS });
  }
}

function heartbeatOf(nodeId: NodeId, serial: number, sequence: number): Heartbeat {
  return Heartbeat.parse({
    regionId: REGION,
    nodeId,
    sequence,
    protocol: PROTOCOL_VERSION,
    build: "benchmark",
    publicAddress: `benchmark.test:${serial}`,
    nodeAddress: `127.0.0.1:${serial}`,
    linkAddress: `127.0.0.1:${serial}`,
    games: [GAME],
    state: "active",
    capacity: 100,
    connected: 0,
    reserved: 0,
    rooms: 0,
    load: { eventLoopDelayP99Ms: 1, eventLoopUtilisation: 0.1, rssBytes: 1 },
    redis: "up",
    keyIds: [],
    endedRooms: [],
  });
}
