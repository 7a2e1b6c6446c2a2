/**
 * A region node, put together: what it is made of, in the order of its start.
 *
 * Players' connections are taken before the first heartbeat, so that no seat is ever granted on a
 * node that does not listen; and the last thing to go at a drain's end is the way to the core.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { Epoch } from "../../shared/epoch.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { GameName, type NodeId, RegionId, type RoomId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { LinkCredentials } from "../../shared/link/credentials.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { IdentityFiles } from "../../shared/link/identity-files.ts";
import { LinkClient } from "../../shared/link/link-client.ts";
import type { Metrics } from "../../shared/metrics.ts";
import { RELAY_PATH, REPLICAS_PATH } from "../../shared/protocol/failover.ts";
import type { Heartbeat } from "../../shared/protocol/link.ts";
import { PROTOCOL_VERSION } from "../../shared/protocol/version.ts";
import type { RegionConfig } from "../config.ts";
import { EvidencePush } from "../failover/evidence.ts";
import { Witness } from "../failover/witness.ts";
import { Claims } from "../link/claims.ts";
import { CoreWay } from "../link/core-way.ts";
import { Heartbeats, type Report } from "../link/heartbeat.ts";
import { createLinkServer } from "../link/link-server.ts";
import { PeerProbes } from "../link/peer-probes.ts";
import { Relay } from "../link/relay.ts";
import { releaseRooms } from "../link/release-rooms.ts";
import type { UpgradeRoute } from "../link/upgrades.ts";
import { EvictedSessions } from "../matchmaking/evicted-sessions.ts";
import { type Granting, Matchmaker } from "../matchmaking/matchmaker.ts";
import { type Seat, SeatLedger } from "../matchmaking/seat-ledger.ts";
import type { Streams } from "../outbox/outbox-streams.ts";
import { heapShare, memoryOfMachine } from "../overload/memory-share.ts";
import { OverloadGate } from "../overload/overload-gate.ts";
import { sampleOf } from "../overload/signals.ts";
import { NOTHING_TO_DO, type Sample } from "../overload/thresholds.ts";
import { ProfileLink } from "../profiles/profile-link.ts";
import type { RegionRedis } from "../redis/region-redis.ts";
import { CopyParts } from "../replication/copy-parts.ts";
import { Border } from "../transport/border.ts";
import { ConsumedTickets } from "../transport/consumed-tickets.ts";
import { KeySet } from "../transport/key-set.ts";
import { UwsTransport } from "../transport/transport.ts";
import { ValueLink } from "../value/value-link.ts";
import { type Games, Rooms, type Sharing } from "./colyseus.ts";
import { drainRooms } from "./drain.ts";
import { gameStatesOf, stateOf } from "./game-states.ts";
import { HandOver } from "./hand-over.ts";
import { LoadMeter } from "./load.ts";
import { createPrivatePort } from "./private-port.ts";
import { createRoomEvents } from "./room-events.ts";
import { holdsSession } from "./room-internals.ts";
import { StateParts } from "./state-parts.ts";

/** Tickets that were used and have not expired. */
const CONSUMED_TICKETS_MAX = 65_536;
/** `onDispose` of all rooms may take this long after the drain's deadline. */
export const SETTLE_MS = 10_000;

export interface RegionNodeOptions {
  readonly config: RegionConfig;
  readonly nodeId: NodeId;
  readonly games: Games;
  readonly redis: Pick<RegionRedis, "state" | "stop">;
  /** Of its outbox. */
  readonly streams: Streams;
  readonly sharing: Sharing;
  readonly identity: LinkIdentity;
  /** What the identity's files say now. */
  readonly readIdentity: () => LinkCredentials;
  /** The core knows a newer life of this node: it must end. */
  readonly onSuperseded: (error: unknown) => void;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class RegionNode {
  readonly #options: RegionNodeOptions;
  readonly #regionId: RegionId;
  readonly #games: readonly GameName[];
  readonly #gameStates: Readonly<Record<GameName, string>>;
  readonly #ledger: SeatLedger;
  readonly #evicted = new EvictedSessions();
  readonly #load: LoadMeter;
  readonly #client: LinkClient;
  readonly #heartbeatClient: LinkClient;
  /** Another breaker, too: profiles that come late must not hold up operations. */
  readonly #profileClient: LinkClient;
  readonly #valueClient: LinkClient;
  readonly #heartbeats: Heartbeats;
  readonly #peerProbes: PeerProbes;
  readonly #way: CoreWay;
  readonly #evidence: EvidencePush;
  readonly #stateClient: LinkClient;
  readonly #playerStates: StateParts;
  readonly #value: ValueLink;
  readonly #rooms: Rooms;
  readonly #transport: UwsTransport;
  readonly #link: HttpServer;
  readonly #privatePort: HttpServer;
  readonly #handOver: HandOver;
  readonly #copies: CopyParts;
  readonly #overload: OverloadGate;
  #stopping = false;
  #wanted: Heartbeat["state"] = "active";

  constructor(options: RegionNodeOptions) {
    const { config, nodeId, games, identity, clock, log, metrics } = options;
    this.#options = options;
    this.#regionId = RegionId.parse(config.REGION_ID);
    this.#games = [...games.keys()].map((name) => GameName.parse(name));
    this.#ledger = new SeatLedger(config.REGION_CAPACITY);
    this.#load = new LoadMeter(metrics);
    this.#way = new CoreWay({
      coreAddress: config.CORE_LINK_ADDRESS,
      identity,
      peers: () => this.#peerProbes.nearestFirst,
      relayAfterMs: config.RELAY_AFTER_MS,
      onChanged: () => {
        // A failure is counted and logged inside.
        void this.#heartbeats.announce();
      },
      clock,
      random: options.random,
      log,
      metrics,
    });
    const ways = { ways: this.#way };
    this.#client = new LinkClient(identity, clock, ways);
    // Connections and a breaker of their own: whatever becomes of claims, the lease must not run out.
    this.#heartbeatClient = new LinkClient(identity, clock, ways);
    // Of its own too: batches are large.
    this.#stateClient = new LinkClient(identity, clock, ways);
    this.#playerStates = new StateParts({
      config,
      nodeId,
      streams: options.streams,
      client: this.#stateClient,
      clock,
      random: options.random,
      log,
      metrics,
    });
    this.#profileClient = new LinkClient(identity, clock, ways);
    // Hundreds of operations may ask again and again of a slow core: rooms that go on here must get their claims through.
    this.#valueClient = new LinkClient(identity, clock, ways);
    const keys = new KeySet();
    const core = { client: this.#client, coreAddress: config.CORE_LINK_ADDRESS };
    const onWanted = (wanted: Heartbeat["state"]) => this.#want(wanted);
    const profiles = new ProfileLink({ ...core, client: this.#profileClient, clock, metrics });
    this.#peerProbes = new PeerProbes({
      regionId: this.#regionId,
      client: new LinkClient(identity, clock),
      periodMs: config.PEER_PROBE_PERIOD_MS,
      clock,
      log,
      metrics,
    });

    this.#gameStates = gameStatesOf(games);
    this.#copies = new CopyParts({
      config,
      nodeId,
      schemaOf: (game) => this.#gameStates[game],
      stateOf: (game) => stateOf(games, game),
      linkAddress: () => this.addresses().link,
      identity,
      onOwnerGone: (about) => this.#evidence.ownerGone(about),
      clock,
      log,
      metrics,
    });
    this.#heartbeats = new Heartbeats({
      ...core,
      client: this.#heartbeatClient,
      keys,
      report: () => this.#report(),
      feed: profiles,
      peers: this.#peerProbes,
      way: this.#way,
      standbys: this.#copies.replication,
      onWanted,
      onFenced: (regionEpoch) => this.#fenced(regionEpoch),
      onCoreTerm: (term) => {
        this.#value.termSeen(term);
        this.#playerStates.outbox.noteCoreTerm(term);
      },
      onSuperseded: (error) => {
        // It may have been fenced: whoever goes on with its rooms needs the copies, which their end would drop.
        this.#copies.replication.cut();
        options.onSuperseded(error);
      },
      clock,
      log,
      metrics,
    });
    const claims = new Claims({
      ...core,
      nodeId,
      regionEpoch: () => this.#heartbeats.regionEpoch,
      clock,
      random: options.random,
      metrics,
    });
    this.#value = new ValueLink({
      ...core,
      client: this.#valueClient,
      nodeId,
      leaseHeld: () => this.#heartbeats.leaseHeld,
      rooms: () => this.#rooms.held,
      clock,
      random: options.random,
      log,
      metrics,
    });
    this.#rooms = new Rooms({
      games,
      sharing: options.sharing,
      state: this.#playerStates.players,
      value: this.#value,
      profiles,
      clock,
      log,
      events: createRoomEvents({
        claims,
        rooms: () => this.#rooms,
        ledger: this.#ledger,
        evicted: this.#evicted,
        heartbeats: this.#heartbeats,
        replication: this.#copies.replication,
        store: this.#copies.store,
        clock,
        log,
        metrics,
      }),
    });
    const border = new Border({
      nodeId,
      keys,
      consumed: new ConsumedTickets(CONSUMED_TICKETS_MAX),
      coreNowMs: () => this.#heartbeats.coreNowMs(),
      formerLives: () => this.#handOver.formerLives,
      handedOver: () => this.#handOver.given,
    });
    this.#transport = this.#createTransport(border);
    const matchmaker = new Matchmaker({
      nodeId,
      rooms: this.#rooms,
      ledger: this.#ledger,
      evicted: this.#evicted,
      granting: () => this.#granting(),
      clock,
    });
    this.#overload = new OverloadGate({
      sample: () => this.#sample(),
      rooms: this.#rooms,
      evict: (session) => matchmaker.evict(session),
      clock,
      log,
      metrics,
    });
    const witness = new Witness({ identity, clock, metrics });
    this.#evidence = new EvidencePush({
      ...core,
      nodeId,
      witness,
      clock,
      random: options.random,
      log,
      metrics,
    });
    const relay = new Relay({
      coreAddress: config.CORE_LINK_ADDRESS,
      tunnelsMax: config.RELAY_TUNNELS_MAX,
      relayed: () => this.#way.relayed,
      clock,
      log,
      metrics,
    });
    const release = (roomIds: readonly RoomId[]) => releaseRooms({ ...core, nodeId }, roomIds);
    const flushStates = () => this.#playerStates.flush();
    this.#link = createLinkServer({
      identity,
      matchmaker,
      onWanted,
      wanted: (player) => this.#playerStates.players.wanted(player),
      onFenced: (regionEpoch) => this.#heartbeats.fence(regionEpoch),
      witness,
      replication: this.#copies.routes({ rooms: this.#rooms, matchmaker, release, flushStates }),
      upgrades: new Map<string, UpgradeRoute>([
        [RELAY_PATH, relay],
        [REPLICAS_PATH, this.#copies.standby],
      ]),
      log,
    });
    this.#handOver = new HandOver({
      file: config.HAND_OVER_FILE,
      nodeId,
      rooms: this.#rooms,
      matchmaker,
      release,
      dismissPlayers: () => this.#transport.dismissAll(),
      flushStates,
      clock,
      log,
    });
    this.#privatePort = createPrivatePort({
      obstacles: () => this.#obstacles(),
      takenOver: () => this.#handOver.taken,
      metrics,
      log,
    });
  }

  /**
   * Leaves the rooms to the next life of this node; the process is to end after it.
   * @returns false when that can't be done now, and the node plays on
   */
  async handOver(): Promise<boolean> {
    if (this.#stopping) return false;
    this.#stopping = true;
    const given = await this.#handOver.give();
    this.#stopping = given;
    return given;
  }

  /** In the order of their start. */
  parts(): Part[] {
    const { config, redis, sharing, identity, readIdentity, clock, log, metrics } = this.#options;
    return [
      { name: "redis", stop: () => redis.stop() },
      { name: "list of rooms", stop: () => sharing.driver.shutdown() },
      ...this.#playerStates.parts(),
      { name: "load", start: () => this.#load.start(), stop: () => this.#load.stop() },
      {
        name: "rooms",
        start: () => this.#rooms.start(),
        drain: () =>
          drainRooms({
            rooms: this.#rooms,
            deadlineMs: config.DRAIN_DEADLINE_MS,
            settleMs: SETTLE_MS,
            clock,
            log,
            metrics,
          }),
      },
      {
        name: "transport",
        start: () => this.#transport.start(),
        stop: () => this.#transport.shutdown(),
      },
      this.#overload,
      {
        name: "private port",
        start: () =>
          listen(this.#privatePort, config.REGION_PRIVATE_HOST, config.REGION_PRIVATE_PORT),
        stop: () => this.#privatePort.close(),
      },
      {
        name: "link",
        start: () => listen(this.#link, config.REGION_LINK_HOST, config.REGION_LINK_PORT),
        stop: () => this.#link.close(),
      },
      new IdentityFiles({ identity, read: readIdentity, clock, log, metrics }),
      {
        name: "link clients",
        stop: async () => {
          this.#evidence.stop();
          this.#value.stop();
          const clients = [
            this.#client,
            this.#heartbeatClient,
            this.#stateClient,
            this.#profileClient,
            this.#valueClient,
          ];
          await Promise.all(clients.map((client) => client.stop()));
        },
      },
      this.#peerProbes,
      ...this.#copies.parts(),
      { name: "rooms of the former life", start: () => this.#handOver.take() },
      this.#way,
      {
        name: "heartbeats",
        start: () => {
          log.info(this.addresses(), "listening");
          this.#heartbeats.start();
        },
        drain: () => this.#announceStop(),
        stop: () => this.#heartbeats.stop(),
      },
    ];
  }

  /** `host:port` of each of its ports; as advertised, where that is configured. */
  addresses(): { players: string; link: string; private: string } {
    const { config } = this.#options;
    const { REGION_LINK_HOST: linkHost, REGION_PRIVATE_HOST: privateHost } = config;
    return {
      players: config.REGION_PUBLIC_ADDRESS || `${config.REGION_HOST}:${this.#transport.port}`,
      link: config.REGION_LINK_ADDRESS || `${linkHost}:${portOf(this.#link)}`,
      private: `${privateHost}:${portOf(this.#privatePort)}`,
    };
  }

  #createTransport(border: Border): UwsTransport {
    const { config, clock, log, metrics } = this.#options;
    return new UwsTransport({
      host: config.REGION_HOST,
      port: config.REGION_PORT,
      origins: config.REGION_ORIGINS,
      limits: {
        messagesPerSecondMax: config.MESSAGES_PER_SECOND_MAX,
        frameBytesMax: config.FRAME_BYTES_MAX,
        backpressureBytesMax: config.BACKPRESSURE_BYTES_MAX,
        connectionsMax: config.CONNECTIONS_MAX,
        beaconsMax: config.BEACONS_MAX,
      },
      border,
      findRoom: (roomId) => this.#rooms.find(roomId),
      sessions: {
        arrived: (session, roomId) => this.#ledger.arrived(session, roomId),
        rivals: (session, roomId) => this.#ledger.rivals(session, roomId),
        dropped: (sessionId) => this.#ledger.dropped(sessionId, clock.monotonicMs()),
        seated: (sessionId) => this.#ledger.get(sessionId) !== undefined,
        refused: (sessionId) => this.#ledger.left(sessionId),
        evicted: (sessionId) => this.#evicted.kindOf(sessionId),
      },
      clock,
      log,
      metrics,
    });
  }

  get #state(): Heartbeat["state"] {
    return this.#stopping || this.#heartbeats.fenced ? "draining" : this.#wanted;
  }

  #want(wanted: Heartbeat["state"]): void {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.#options.log.info({ wanted }, "an operator wants this node in another state");
  }

  /** The rooms are not this node's any more: nothing that they still do with money is carried out. */
  #fenced(regionEpoch: Epoch): void {
    const rooms = this.#rooms.count;
    this.#options.log.error(
      { regionEpoch, rooms, runbook: "core-region-fenced" },
      "this region was fenced: its rooms end, its players go elsewhere",
    );
    this.#copies.replication.cut();
    this.#rooms.endPresent();
    this.#playerStates.players.fenced();
  }

  #granting(): Granting {
    if (this.#state === "draining") return "draining";
    return this.#heartbeats.leaseHeld ? this.#overload.granting : "no_lease";
  }

  #sample(): Sample {
    const { config } = this.#options;
    const load = this.#load.sample();
    if (config.OVERLOAD_LOOP_DELAY_MS === 0) return NOTHING_TO_DO;
    const readings = {
      load,
      cpuShare: this.#load.cpuShare,
      heapShare: heapShare(),
      backlog: this.#transport.backlog,
      outbox: this.#playerStates.outbox.backlog,
    };
    return sampleOf(readings, {
      loopDelayMs: config.OVERLOAD_LOOP_DELAY_MS,
      memoryBytesMax: config.REGION_MEMORY_BYTES_MAX || memoryOfMachine(),
      outboxItemsMax: config.OUTBOX_ITEMS_MAX,
      outboxBytesMax: config.OUTBOX_BYTES_MAX,
    });
  }

  #obstacles(): string[] {
    const found: string[] = [];
    const { fenced, leaseHeld } = this.#heartbeats;
    if (fenced) found.push("fenced");
    else if (!leaseHeld) found.push("no lease: the core does not answer");
    if (!fenced && this.#state === "draining") found.push("draining");
    if (this.#options.redis.state === "down") found.push("redis is down");
    if (this.#overload.granting === "overloaded") found.push("overloaded");
    return found;
  }

  async #announceStop(): Promise<void> {
    this.#stopping = true;
    await this.#heartbeats.announce();
  }

  #report(): Report {
    const { config, nodeId, clock, redis } = this.#options;
    const nowMs = clock.monotonicMs();
    const isHeld = ({ roomId, sessionId }: Seat) => {
      const room = roomId && this.#rooms.find(roomId);
      return room ? holdsSession(room, sessionId) : false;
    };
    this.#ledger.retain(isHeld, nowMs);
    // Their answer or their way here was lost: they come first when they ask again, as those who were dropped.
    for (const { sessionId, playerId } of this.#ledger.takeUnused(isHeld)) {
      const evicted = this.#evicted.kindOf(sessionId) !== undefined;
      this.#heartbeats.leftSessions.add(sessionId, playerId, !evicted);
    }
    const { players, link } = this.addresses();
    return {
      regionId: this.#regionId,
      nodeId,
      protocol: PROTOCOL_VERSION,
      build: config.BUILD,
      publicAddress: players,
      nodeAddress: `${config.REGION_HOST}:${this.#transport.port}`,
      linkAddress: link,
      games: [...this.#games],
      gameStates: this.#gameStates,
      openSeats: this.#rooms.openSeats,
      state: this.#state,
      capacity: config.REGION_CAPACITY,
      ...this.#ledger.counts(nowMs),
      seatsGranted: this.#ledger.granted,
      rooms: this.#rooms.count,
      load: this.#load.last,
      overload: this.#overload.level,
      redis: redis.state,
      outbox: this.#playerStates.outbox.backlog,
    };
  }
}

async function listen(server: HttpServer, host: string, port: number): Promise<void> {
  await server.listen({ host, port });
}

function portOf(server: HttpServer): number {
  const address = server.server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
