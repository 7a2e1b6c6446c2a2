/**
 * Sends the node's heartbeat to the core every 500 ms and keeps what the answers say: the lease, core
 * time, the core's keys, what the operator wants.
 *
 * Never two are under way; each has a deadline. While none is answered the lease runs out, rooms play
 * on, and the next answer mends everything. Only `stale_incarnation` is final: the core knows a newer
 * life of this node, so this one must end. It is told once; no heartbeat follows and no seat is granted.
 *
 * A fence (`region-life.ts`) ends the lease at once. Answers to heartbeats from before it tell nothing of it.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { type ErrorKind, isFailure } from "../../shared/errors.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { ReplicationReport, Standbys } from "../../shared/protocol/failover.ts";
import {
  HEARTBEAT_PERIOD_MS,
  type Heartbeat,
  HeartbeatAnswer,
  type PeerRoundTrips,
  type Peers,
} from "../../shared/protocol/link.ts";
import type { FeedNews, FeedPlace } from "../../shared/protocol/profiles.ts";
import type { KeySet } from "../transport/key-set.ts";
import { CORE_TIME_UNKNOWN, coreTimeAt, learnCoreTime } from "./core-time.ts";
import { EndedRooms } from "./ended-rooms.ts";
import { leaseHeld, NO_LEASE, renewLease } from "./lease.ts";
import { LeftSessions } from "./left-sessions.ts";
import { LIFE_UNKNOWN, lifeAfter } from "./region-life.ts";

/** Shorter than the lease, so that a lost request costs one heartbeat and not the lease. */
const DEADLINE_MS = 1_000;
const ENDED_ROOMS_MAX = 1_000;
const LEFT_SESSIONS_MAX = 1_000;
/** Failures that may not be the core's word. */
const UNHEARD: ReadonlySet<ErrorKind> = new Set(["timeout", "unavailable", "internal"]);

/** What the node puts into a heartbeat; the rest is known here. */
export type Report = Omit<
  Heartbeat,
  | "sequence"
  | "regionEpoch"
  | "keyIds"
  | "endedRooms"
  | "leftSessions"
  | "feed"
  | "peersVersion"
  | "probes"
  | "relayed"
  | "standbysVersion"
  | "replication"
>;

/** Follows the core's feed, which the answers carry. */
export interface FeedFollower {
  /** Up to where it has everything. */
  readonly place: FeedPlace | undefined;
  hear(news: FeedNews, sentAtMs: number): void;
}

/** Measures the way to the other regions, which the answers name. */
export interface PeerFollower {
  /** Of the peers that it knows, empty before any; undefined: it measures nothing. */
  readonly version: string | undefined;
  readonly roundTripsMs: PeerRoundTrips;
  hear(peers: Peers): void;
}

/** Knows which way calls to the core go. */
export interface WayFollower {
  readonly relayed: boolean;
  /** The core has answered, whatever it says. */
  heard(): void;
}

/** Copies rooms to standbys, which the answers name. */
export interface StandbyFollower {
  /** Of the standbys that it knows, empty before any; undefined: it copies nothing. */
  readonly version: string | undefined;
  readonly report: ReplicationReport;
  hear(standbys: Standbys): void;
}

export interface HeartbeatsOptions {
  readonly client: LinkClient;
  readonly coreAddress: string;
  readonly keys: KeySet;
  readonly report: () => Report;
  readonly feed: FeedFollower;
  readonly peers: PeerFollower;
  readonly way: WayFollower;
  /** Of a node that copies its rooms. */
  readonly standbys?: StandbyFollower;
  readonly onWanted: (wanted: Heartbeat["state"]) => void;
  /** The region's life in which this node served is over: what runs here ends. Once for each life. */
  readonly onFenced: (regionEpoch: Epoch) => void;
  /** Told of the core's term with each answer, before the lease is renewed. */
  readonly onCoreTerm: (coreTerm: number) => void;
  /** The core knows a newer life of this node. Called once. */
  readonly onSuperseded: (error: unknown) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Heartbeats {
  readonly endedRooms = new EndedRooms(ENDED_ROOMS_MAX);
  readonly leftSessions = new LeftSessions(LEFT_SESSIONS_MAX);
  readonly #options: HeartbeatsOptions;
  readonly #outcomes: Counter<"outcome">;
  #lease = NO_LEASE;
  #life = LIFE_UNKNOWN;
  /** Answers to heartbeats before this one are of a life that is over. */
  #heededFrom = 0;
  #coreTime = CORE_TIME_UNKNOWN;
  #sequence = 0;
  #underWay: Promise<void> | undefined;
  #cancel: Cancel | undefined;
  #superseded = false;
  /** What was logged last, so that each change is told once. */
  #told = "nothing";

  constructor(options: HeartbeatsOptions) {
    this.#options = options;
    this.#outcomes = new Counter({
      name: "meridian_region_heartbeats_total",
      help: "Heartbeats by outcome: answered, skipped (one was under way), or the kind of failure",
      labelNames: ["outcome"],
      registers: [options.metrics],
    });
    const held = () => (this.leaseHeld ? 1 : 0);
    new Gauge({
      name: "meridian_region_lease_held",
      help: "1 while the core has renewed this node's lease",
      registers: [options.metrics],
      collect() {
        this.set(held());
      },
    });
    const { endedRooms } = this;
    new Gauge({
      name: "meridian_region_ended_rooms_dropped",
      help: "Rooms whose end could not be reported, because too many waited for the core",
      registers: [options.metrics],
      collect() {
        this.set(endedRooms.dropped);
      },
    });
  }

  start(): void {
    const beat = () => {
      // A failure is counted and logged inside; the next period tries again.
      void this.beat();
    };
    beat();
    this.#cancel = this.#options.clock.every(HEARTBEAT_PERIOD_MS, beat);
  }

  /** Reports the rooms and sessions that ended last, if there are any, and falls silent. */
  async stop(): Promise<void> {
    this.#cancel?.();
    await this.#underWay;
    const untold = this.endedRooms.list().length + this.leftSessions.list().length;
    if (untold > 0) await this.beat();
  }

  /** Whether the node may grant seats. */
  get leaseHeld(): boolean {
    return leaseHeld(this.#lease, this.#options.clock.monotonicMs());
  }

  /** Whether what ran here has ended by the core's word, and nothing may run yet. */
  get fenced(): boolean {
    return this.#life.fenced;
  }

  /** The region's life in which this node serves. */
  get regionEpoch(): Epoch {
    return this.#life.epoch;
  }

  /** The core fenced the region: what it says before any heartbeat is answered so. */
  fence(regionEpoch: Epoch): void {
    this.#learn({ regionEpoch, wanted: "fenced" });
  }

  /** Core time in ms, or undefined before the first answer. */
  coreNowMs(): number | undefined {
    return coreTimeAt(this.#coreTime, this.#options.clock.monotonicMs());
  }

  /** Sends one now, unless one is under way or the node is superseded. Never rejects. */
  async beat(): Promise<void> {
    if (this.#superseded) return;
    if (this.#underWay) {
      this.#outcomes.inc({ outcome: "skipped" });
      return;
    }
    this.#underWay = this.#exchange();
    await this.#underWay;
    this.#underWay = undefined;
  }

  /** Sends one that reports how things are now: after one that is under way. Never rejects. */
  async announce(): Promise<void> {
    while (this.#underWay) await this.#underWay;
    await this.beat();
  }

  async #exchange(): Promise<void> {
    const { client, coreAddress, keys, report, feed, peers, way, standbys, clock } = this.#options;
    const { version, roundTripsMs } = peers;
    const { version: standbysVersion, report: replication } = standbys ?? {};
    const ended = this.endedRooms.list();
    const left = this.leftSessions.list();
    const sequence = this.#sequence++;
    const body: Heartbeat = {
      ...report(),
      regionEpoch: this.#life.epoch,
      sequence,
      keyIds: keys.keyIds,
      endedRooms: ended,
      leftSessions: left,
      ...(feed.place && { feed: feed.place }),
      ...(version !== undefined && { peersVersion: version, probes: roundTripsMs }),
      ...(way.relayed && { relayed: true }),
      ...(standbysVersion !== undefined && { standbysVersion, replication }),
    };
    const sentAtMs = clock.monotonicMs();
    try {
      const answer = await client.call({
        address: coreAddress,
        peer: { role: "core" },
        path: "/link/heartbeat",
        body,
        answer: HeartbeatAnswer,
        deadlineMs: DEADLINE_MS,
      });
      this.endedRooms.acknowledged(ended);
      this.leftSessions.acknowledged(left);
      this.#answered(answer, { sequence, sentAtMs });
    } catch (error) {
      this.#failed(error);
    }
  }

  #answered(
    answer: HeartbeatAnswer,
    { sequence, sentAtMs }: { readonly sequence: number; readonly sentAtMs: number },
  ): void {
    const { keys, feed, peers, way, standbys, clock, onCoreTerm } = this.#options;
    way.heard();
    const { leaseMs, coreTimeMs, coreTerm, jwks } = answer;
    if (coreTerm !== undefined) onCoreTerm(coreTerm);
    const receivedAtMs = clock.monotonicMs();
    this.#coreTime = learnCoreTime(this.#coreTime, { sentAtMs, receivedAtMs, coreTimeMs });
    if (jwks) keys.replace(jwks);
    if (answer.feed) feed.hear(answer.feed, sentAtMs);
    if (answer.peers) peers.hear(answer.peers);
    if (answer.standbys) standbys?.hear(answer.standbys);
    this.#outcomes.inc({ outcome: "answered" });
    if (sequence < this.#heededFrom) return;
    this.#learn(answer);
    if (this.#life.fenced) return;
    this.#lease = renewLease(this.#lease, { sentAtMs, leaseMs });
    this.#tell("answered", () => this.#options.log.info("the core answers: the lease is held"));
  }

  #learn(told: Pick<HeartbeatAnswer, "regionEpoch" | "wanted">): void {
    const { onWanted, onFenced } = this.#options;
    const { life, over } = lifeAfter(this.#life, told);
    this.#life = life;
    if (told.wanted !== "fenced") onWanted(told.wanted);
    if (!life.fenced) return;
    this.#lease = NO_LEASE;
    this.#told = "fenced";
    if (!over) return;
    this.#heededFrom = this.#sequence;
    onFenced(life.epoch);
  }

  #failed(error: unknown): void {
    const { log, way, onSuperseded } = this.#options;
    const kind = isFailure(error) ? error.kind : "internal";
    if (!UNHEARD.has(kind)) way.heard();
    this.#outcomes.inc({ outcome: kind });
    if (isFailure(error, "stale_incarnation")) {
      this.#superseded = true;
      this.#cancel?.();
      this.#lease = NO_LEASE;
      onSuperseded(error);
      return;
    }
    const state = this.leaseHeld ? "late" : "lost";
    this.#tell(`${kind} ${state}`, () => {
      if (state === "late")
        log.warn({ kind, err: error, runbook: "region-lease" }, "a heartbeat failed");
      else
        log.error(
          { kind, err: error, runbook: "region-lease" },
          "the lease is lost: no new seats until the core answers",
        );
    });
  }

  #tell(what: string, write: () => void): void {
    if (this.#told === what) return;
    this.#told = what;
    write();
  }
}
