/**
 * For tests: a node without its links. Real rooms, a real transport on a free port, real tickets
 * signed by a key that stands for the core's.
 */
import { generateKeyPairSync } from "node:crypto";
import { LocalDriver, LocalPresence, type Room } from "@colyseus/core";
import { Client } from "@colyseus/sdk";
import type { Logger } from "pino";
import { Registry } from "prom-client";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { GameName, NodeId, type PlayerId, type SessionId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import type { JoinMode, SeatReservation } from "../../shared/protocol/join.ts";
import type { ReserveAnswer } from "../../shared/protocol/link.ts";
import { Jwks, type TicketClaims } from "../../shared/protocol/ticket.ts";
import { EvictedSessions } from "../matchmaking/evicted-sessions.ts";
import { type Granting, Matchmaker } from "../matchmaking/matchmaker.ts";
import { SeatLedger } from "../matchmaking/seat-ledger.ts";
import { Rooms, type Sharing } from "../node/colyseus.ts";
import type { RoomClass } from "../node/room-guard.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { noProfiles } from "../rooms/room-profiles.ts";
import { TestLedgers } from "../rooms/test-ledger.ts";
import { TestStates } from "../rooms/test-states.ts";
import { Border } from "./border.ts";
import { ConsumedTickets } from "./consumed-tickets.ts";
import { KeySet } from "./key-set.ts";
import {
  claimsFor,
  newPlayerId,
  reservationFor,
  signTicket,
  TEST_KEY_ID,
  until,
} from "./test-tickets.ts";
import { type TransportLimits, UwsTransport } from "./transport.ts";

export interface TestNodeOptions {
  readonly games: Record<string, RoomClass>;
  readonly limits?: Partial<TransportLimits>;
  readonly origins?: readonly string[];
  readonly capacity?: number;
  readonly host?: string;
  readonly clock?: Clock;
  readonly log?: Logger;
  /** A node without siblings by default. */
  readonly sharing?: Sharing;
  /** In place of the claim at the core, which grants a `GameRoom` its epoch at once by default. */
  readonly created?: (room: Room) => void;
}

/** A seat together with all that leads to it. */
export interface TestSeat {
  readonly answer: ReserveAnswer;
  readonly claims: TicketClaims;
  readonly ticket: string;
  readonly reservation: SeatReservation;
  /** What a client opens. */
  readonly url: string;
}

const LIMITS: TransportLimits = {
  messagesPerSecondMax: 60,
  frameBytesMax: 16_384,
  backpressureBytesMax: 262_144,
  connectionsMax: 100,
  beaconsMax: 100,
};

export class TestNode {
  readonly nodeId = NodeId.parse("testing-1");
  readonly metrics = new Registry();
  readonly failures: { method: string; error: unknown }[] = [];
  readonly ended: string[] = [];
  readonly consumed = new ConsumedTickets(100_000);
  readonly formerLives = new Set<NodeId>();
  handedOver: () => boolean = () => false;
  granting: () => Granting = () => "granting";
  readonly ledger: SeatLedger;
  readonly evicted = new EvictedSessions();
  readonly rooms: Rooms;
  readonly matchmaker: Matchmaker;
  readonly transport: UwsTransport;
  /** Core time is ahead by this: to let tickets expire. */
  aheadMs = 0;
  readonly #signer = generateKeyPairSync("ed25519");
  readonly #host: string;
  readonly #players = new Map<SessionId, PlayerId>();

  constructor(options: TestNodeOptions) {
    const {
      log = createLog("region", "silent"),
      clock = systemClock,
      created = grantEpoch,
    } = options;
    this.#host = options.host ?? "127.0.0.1";
    this.ledger = new SeatLedger(options.capacity ?? 100);
    this.rooms = new Rooms({
      games: new Map(Object.entries(options.games)),
      sharing: options.sharing ?? { presence: new LocalPresence(), driver: new LocalDriver() },
      state: new TestStates(),
      value: new TestLedgers(),
      profiles: noProfiles,
      clock,
      log,
      events: {
        invalidMessage() {},
        created: (room) => created(room),
        left: (_room, sessionId) => this.ledger.left(sessionId),
        ended: (roomId) => {
          this.ended.push(roomId);
          this.ledger.roomEnded(roomId, clock.monotonicMs());
        },
        failed: (_room, error, method) => this.failures.push({ error, method }),
      },
    });
    const { nodeId, rooms, ledger, evicted, metrics } = this;
    this.matchmaker = new Matchmaker({
      nodeId,
      rooms,
      ledger,
      evicted,
      granting: () => this.granting(),
      clock,
    });
    const keys = new KeySet();
    keys.replace(this.jwks);
    this.transport = new UwsTransport({
      host: this.#host,
      port: 0,
      origins: options.origins ?? [],
      limits: { ...LIMITS, ...options.limits },
      border: new Border({
        nodeId,
        keys,
        consumed: this.consumed,
        coreNowMs: () => Date.now() + this.aheadMs,
        formerLives: () => this.formerLives,
        handedOver: () => this.handedOver(),
      }),
      findRoom: (roomId) => rooms.find(roomId),
      sessions: {
        arrived: (session, roomId) => ledger.arrived(session, roomId),
        rivals: (session, roomId) => ledger.rivals(session, roomId),
        dropped: (sessionId) => ledger.dropped(sessionId, clock.monotonicMs()),
        seated: (sessionId) => ledger.get(sessionId) !== undefined,
        refused: (sessionId) => ledger.left(sessionId),
        evicted: (sessionId) => evicted.kindOf(sessionId),
      },
      clock,
      log,
      metrics,
    });
  }

  get jwks(): Jwks {
    const jwk = this.#signer.publicKey.export({ format: "jwk" });
    return Jwks.parse({ keys: [{ ...jwk, kid: TEST_KEY_ID, alg: "EdDSA", use: "sig" }] });
  }

  get address(): string {
    return `${this.#host}:${this.transport.port}`;
  }

  async start(): Promise<void> {
    await this.rooms.start();
    await this.transport.start();
  }

  /** Ends all rooms, then cuts whatever is open still. */
  async stop(): Promise<void> {
    this.rooms.endAll();
    await until(() => this.rooms.gone, "the rooms' end");
    this.transport.shutdown();
  }

  connections(): number {
    return this.transport.connections;
  }

  bytesSent(): number {
    return this.transport.bytesSent;
  }

  /** How often this side ended a connection for that reason. */
  async closes(kind: string): Promise<number> {
    const metric = await this.metrics.getSingleMetric("meridian_transport_closes_total")?.get();
    return metric?.values.find(({ labels }) => labels.kind === kind)?.value ?? 0;
  }

  /** A seat for somebody new, or for that player. */
  async reserve(
    game: string,
    mode: JoinMode = "joinOrCreate",
    holdMs = 5_000,
    playerId = newPlayerId(),
  ): Promise<ReserveAnswer> {
    const player = { playerId, name: "Ada", sessionEpoch: [1, 1] as const };
    const seat = { kind: "seat", player, game: GameName.parse(game), mode, options: {} } as const;
    const answer = await this.matchmaker.reserve({ ...seat, holdMs });
    this.#players.set(answer.sessionId, playerId);
    return answer;
  }

  /** Whose seat it is. */
  playerOf(sessionId: SessionId): PlayerId {
    return this.#players.get(sessionId) ?? newPlayerId();
  }

  /** A seat and the ticket for it, with whatever claims the test wants to be wrong. */
  async seat(game: string, wrong: Partial<TicketClaims> = {}): Promise<TestSeat> {
    return this.ticketFor(await this.reserve(game), wrong);
  }

  ticketFor(answer: ReserveAnswer, wrong: Partial<TicketClaims> = {}): TestSeat {
    const claims = claimsFor(answer, this.playerOf(answer.sessionId), wrong);
    return this.seatWith(answer, claims, this.sign(claims));
  }

  seatWith(answer: ReserveAnswer, claims: TicketClaims, ticket: string): TestSeat {
    const reservation = reservationFor(answer, this.address, ticket);
    const { publicAddress, processId, roomId, sessionId } = reservation;
    const url = `ws://${publicAddress}/${processId}/${roomId}?sessionId=${sessionId}`;
    return { answer, claims, ticket, reservation, url };
  }

  sign(claims: object, header: object = {}): string {
    return signTicket(this.#signer.privateKey, claims, header);
  }

  /** Connects with the stock SDK. */
  join<State = unknown>(seat: Pick<TestSeat, "reservation">, returning?: string) {
    const client = new Client("ws://127.0.0.1:1");
    return client.consumeSeatReservation<State>({
      ...seat.reservation,
      ...(returning && { reconnectionToken: returning }),
    });
  }
}

/** What the core's answer to a claim does. */
export function grantEpoch(room: Room): void {
  if (room instanceof GameRoom) room.grantEpoch([1, 1]);
}

/** Opens a bare websocket and answers how it was closed; 1006 also when it never opened. */
export function closeOf(url: string): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
    // Node's websocket has no close event after a failed upgrade.
    socket.addEventListener("error", () => resolve({ code: 1006, reason: "" }));
  });
}
